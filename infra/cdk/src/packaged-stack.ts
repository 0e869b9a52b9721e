import * as fs from 'fs';
import * as os from 'os';
import * as path from 'path';
import { CfnResource, Stack, StackProps, Token } from 'aws-cdk-lib';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include';
import { Construct } from 'constructs';

/** Which property of which type names a file beside the template. */
const NAMING: { [type: string]: string } = {
  'AWS::CloudFormation::Stack': 'TemplateURL',
  'AWS::Serverless::Function': 'CodeUri',
  'AWS::Serverless::LayerVersion': 'ContentUri',
};

interface PackagedStackProps extends StackProps {
  /** Folder of the packaged template. */
  readonly folder: string;
  /** File name without its ending. */
  readonly template: string;
  /** Values of its parameters, instead of parameters of the deployment. */
  readonly parameters: { [name: string]: string };
  /** What conditions and rules are told instead of values that are known only when all is put together. */
  readonly asked?: { [name: string]: string };
}

/** One template of the packaged release as a stack of its own, its files among the app's assets. */
export class PackagedStack extends Stack {
  private readonly folder: string;
  private readonly written = fs.mkdtempSync(path.join(os.tmpdir(), 'reprise-'));
  private readonly included: CfnInclude;

  constructor(scope: Construct, id: string, props: PackagedStackProps) {
    super(scope, id, props);
    this.folder = props.folder;
    const template = this.localised(`${props.template}.json`);
    const told = Object.entries(props.parameters).map(([name, value]) => [
      name,
      Token.isUnresolved(value) ? 'given' : value,
    ]);
    for (const part of ['Conditions', 'Rules']) {
      // There no value of another stack may stand: all that they ask of one is whether there is any.
      template[part] = replaceRefs(template[part] ?? {}, { ...Object.fromEntries(told), ...props.asked });
    }
    this.included = new CfnInclude(this, 'Template', {
      templateFile: this.write(`${props.template}.json`, template),
      parameters: props.parameters,
    });
    fs.rmSync(this.written, { recursive: true });
  }

  /** One of the template's resources. */
  public resource(logicalId: string): CfnResource {
    return this.included.getResource(logicalId);
  }

  private localised(file: string): any {
    const template = JSON.parse(fs.readFileSync(path.join(this.folder, file), 'utf8'));
    for (const resource of Object.values<any>(template.Resources)) {
      const property = NAMING[resource.Type];
      if (property) {
        resource.Properties[property] = this.address(resource.Properties[property]);
      }
    }
    return template;
  }

  private address(file: string): any {
    const asset = (this.node.tryFindChild(file) as Asset) ?? this.asset(file);
    return this.resolve(
      file.endsWith('.json') ? asset.httpUrl : { Bucket: asset.s3BucketName, Key: asset.s3ObjectKey },
    );
  }

  private asset(file: string): Asset {
    const from = file.endsWith('.json')
      ? this.write(file, this.localised(file))
      : path.join(this.folder, file);
    return new Asset(this, file, { path: from });
  }

  private write(file: string, template: any): string {
    const written = path.join(this.written, file);
    fs.writeFileSync(written, JSON.stringify(template));
    return written;
  }
}

function replaceRefs(value: any, parameters: { [name: string]: string }): any {
  if (Array.isArray(value)) {
    return value.map((each) => replaceRefs(each, parameters));
  }
  if (typeof value !== 'object') {
    return value;
  }
  if (value.Ref in parameters) {
    return parameters[value.Ref];
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, each]) => [key, replaceRefs(each, parameters)]),
  );
}
