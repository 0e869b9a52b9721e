import * as path from 'path';
import { ArnFormat, Lazy, Names, RemovalPolicy, Stack, Token } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { CfnSecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { PackagedStack } from './packaged-stack';

/** What is scheduled, and what is kept warm (add-on schedules). */
export interface SchedulesProps {
  /** Functions that are pinged, so that they stay warm. */
  readonly warm?: lambda.IFunction[];
  /** Parameters of the add-on's template, by name, such as `WarmSchedule`. */
  readonly parameters?: { [name: string]: string };
}

/** Which failed jobs are submitted again (add-on batch). */
export interface BatchProps {
  /** Names of the job definitions, without revision. */
  readonly jobDefinitions: string[];
  /** Names of the queues of their jobs. */
  readonly jobQueues: string[];
  /** Parameters of the add-on's template, by name. */
  readonly parameters?: { [name: string]: string };
}

/** What a stack of Reprise is made of. */
export interface RepriseProps {
  /** Functions whose calls are kept and replayed. */
  readonly targets: lambda.IFunction[];
  /**
   * Name of the stack that is made beside yours, and the start of the names in it.
   * @default reprise
   */
  readonly stackName?: string;
  /** Parameters of the template, by name, such as `IncidentEmail`. */
  readonly parameters?: { [name: string]: string };
  /** The add-on schedules, if given. */
  readonly schedules?: SchedulesProps;
  /** The add-on batch, if given. */
  readonly batch?: BatchProps;
  /**
   * Folder of an unpacked packaged template.
   * @default the one of this construct's own release
   */
  readonly folder?: string;
}

/** How a caller is protected. */
export interface ProtectOptions {
  /**
   * Functions that it calls.
   * @default all targets
   */
  readonly targets?: lambda.IFunction[];
  /**
   * Name of the source that it signs as: letters, digits, hyphens, underscores.
   * @default made of its place in the app
   */
  readonly source?: string;
}

/** What a front door is like. */
export interface FrontDoorOptions {
  /**
   * Name of the invoker's alias.
   * @default the target's id in the app
   */
  readonly name?: string;
}

/** Reprise, as a stack of its own beside the one that this construct is in. */
export class Reprise extends Construct {
  /** Name of the stack. */
  public readonly stackName: string;
  private readonly targets: lambda.IFunction[];
  private readonly folder: string;
  private readonly kmsKeyArn?: string;
  private readonly root: PackagedStack;
  private readonly doors: { [name: string]: string } = {};

  constructor(scope: Construct, id: string, props: RepriseProps) {
    super(scope, id);
    this.stackName = props.stackName ?? 'reprise';
    this.folder = props.folder ?? path.join(__dirname, '..', 'package');
    this.targets = props.targets;
    this.kmsKeyArn = props.parameters?.KmsKeyArn;
    const jobDefinitions = this.batchArns('job-definition', props.batch?.jobDefinitions);
    const targets = [...props.targets.map(arnOf), ...jobDefinitions].join(',');
    const doors = () => Object.entries(this.doors).map(([name, called]) => `${name}=${called}`);
    this.root = this.stack('Stack', this.stackName, 'template', {
      parameters: {
        Targets: targets,
        FrontDoors: Lazy.string({ produce: () => doors().join(',') }),
        ...props.parameters,
      },
      asked: { FrontDoors: Lazy.string({ produce: () => (doors().length ? 'given' : '') }) },
    });
    if (props.schedules) {
      const warm = (props.schedules.warm ?? []).map(arnOf).join(',');
      this.addon('schedules', {
        Targets: targets,
        ...(warm && { WarmFunctions: warm }),
        ...props.schedules.parameters,
      });
    }
    if (props.batch) {
      this.addon('batch', {
        BatchJobDefinitions: jobDefinitions.join(','),
        BatchJobQueues: this.batchArns('job-queue', props.batch.jobQueues).join(','),
        ...props.batch.parameters,
      });
    }
  }

  /**
   * Keep the calls that a function makes: the local endpoint beside it, and leave to call its targets and to write what
   * failed. Its code stays as it is.
   */
  public protect(caller: lambda.Function, options: ProtectOptions = {}): void {
    const stack = Stack.of(caller);
    const source =
      options.source ?? Names.uniqueResourceName(caller, { maxLength: 64, allowedSpecialCharacters: '-_' });
    (options.targets ?? this.targets).forEach((target) => target.grantInvoke(caller));
    caller.addLayers(this.endpoint(stack, caller.architecture));
    caller.addEnvironment('AWS_ENDPOINT_URL_LAMBDA', 'http://127.0.0.1:9350');
    caller.addEnvironment('REPRISE_STACK', this.stackName);
    caller.addEnvironment('REPRISE_SOURCE', source);
    const key = new CfnSecret(caller, 'RepriseKey', {
      name: `${this.stackName}/source/${source}`,
      description: `Key of ${source}, which signs the calls that it keeps`,
      kmsKeyId: this.kmsKeyArn,
      generateSecretString: {
        // Never another text: that makes another key, and what was signed with this one is refused from then on. The
        // stack's targets bound the star.
        secretStringTemplate: '{"current": "k1", "targets": ["*"]}',
        generateStringKey: 'k1',
        passwordLength: 64,
        excludePunctuation: true,
      },
    });
    // As the stack's own: its name is fixed, and one that were kept would stand in the way of the next.
    key.applyRemovalPolicy(RemovalPolicy.DESTROY);
    this.statements(stack, key.ref).forEach((each) => caller.addToRolePolicy(each));
  }

  /**
   * Make an alias of the invoker that stands for one target, for those who call it by an ARN and change no more.
   * @returns what API Gateway, load balancers, AppSync and Step Functions call in the target's place
   */
  public frontDoor(target: lambda.IFunction, options: FrontDoorOptions = {}): lambda.IFunction {
    const name = options.name ?? target.node.id;
    const functionName = `${this.stackName}-invoker`;
    this.doors[name] = writtenName(target) ?? target.functionName;
    const alias = new lambda.CfnAlias(this.root, `FrontDoor${name}`, {
      functionName,
      functionVersion: '$LATEST',
      name,
      description: `front door: ${name}`,
    });
    alias.addResourceDependency(this.root.resource('Invoker'));
    Stack.of(this).addStackDependency(this.root);
    return lambda.Function.fromFunctionAttributes(this, `FrontDoor${name}`, {
      functionArn: this.arn('lambda', 'function', `${functionName}:${name}`, ArnFormat.COLON_RESOURCE_NAME),
      sameEnvironment: true,
    });
  }

  private addon(name: string, parameters: { [name: string]: string }): void {
    const stack = this.stack(name, `${this.stackName}-${name}`, name, {
      parameters: { RootStack: this.stackName, ...parameters },
    });
    stack.addStackDependency(this.root);
  }

  private stack(
    id: string,
    stackName: string,
    template: string,
    told: { parameters: { [name: string]: string }; asked?: { [name: string]: string } },
  ): PackagedStack {
    const { account, region } = Stack.of(this);
    return new PackagedStack(this, id, { stackName, template, folder: this.folder, env: { account, region }, ...told });
  }

  private endpoint(stack: Stack, architecture: lambda.Architecture): lambda.LayerVersion {
    const id = `RepriseEndpoint-${architecture.name}`;
    return (
      (stack.node.tryFindChild(id) as lambda.LayerVersion) ??
      new lambda.LayerVersion(stack, id, {
        code: lambda.Code.fromAsset(path.join(this.folder, `endpoint-${architecture.name}.zip`)),
        compatibleArchitectures: [architecture],
        description: "Lambda's Invoke API beside the caller",
      })
    );
  }

  /** What a caller's role needs beside `lambda:InvokeFunction`, as `reprise sources add` says it. */
  private statements(stack: Stack, keyArn: string): iam.PolicyStatement[] {
    const group = this.arn('logs', 'log-group', `/reprise/${this.stackName}/capture`, ArnFormat.COLON_RESOURCE_NAME);
    const bucket = `${this.stackName}-${stack.account}-${stack.region}`;
    const rows: [string[], string[]][] = [
      [['secretsmanager:GetSecretValue'], [keyArn]],
      [['s3:PutObject'], [`arn:${stack.partition}:s3:::${bucket}/payloads/*`]],
      [
        ['ssm:GetParameter'],
        [`${this.stackName}/callers`, `reprise/${this.stackName}/policy`].map((name) => this.arn('ssm', 'parameter', name)),
      ],
      [['logs:CreateLogStream', 'logs:PutLogEvents'], [group, `${group}:*`]],
    ];
    if (this.kmsKeyArn) {
      rows.push([['kms:Decrypt', 'kms:GenerateDataKey'], [this.kmsKeyArn]]);
    }
    return rows.map(([actions, resources]) => new iam.PolicyStatement({ actions, resources }));
  }

  private batchArns(resource: string, names: string[] = []): string[] {
    return names.map((name) => this.arn('batch', resource, name));
  }

  private arn(service: string, resource: string, resourceName: string, arnFormat?: ArnFormat): string {
    return Stack.of(this).formatArn({ service, resource, resourceName, arnFormat });
  }
}

/** A function's name, if it is written out: then nothing ties the stack of Reprise to that of the function. */
function writtenName(target: lambda.IFunction): string | undefined {
  const written = (target.node.defaultChild as lambda.CfnFunction | undefined)?.functionName;
  return Token.isUnresolved(written) ? undefined : written;
}

function arnOf(target: lambda.IFunction): string {
  const resourceName = writtenName(target);
  const parts = { service: 'lambda', resource: 'function', arnFormat: ArnFormat.COLON_RESOURCE_NAME };
  return resourceName ? Stack.of(target).formatArn({ ...parts, resourceName }) : target.functionArn;
}
