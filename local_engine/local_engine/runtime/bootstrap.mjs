// Run inside Node.js: find a function's handler and serve the Runtime API, as AWS's runtime for Node.js does.
//
// Started by path without arguments. Sources: Lambda Developer Guide, "Building Lambda functions with Node.js"
// (handler, context, logging, errors), "Using callback-based function handlers"; layers at "Search path for
// runtime dependencies". What AWS's own runtime writes and names was read from its Runtime Interface Client.

import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import module from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import util from 'node:util';

const VERSION = '/2018-06-01/runtime';
const { AWS_LAMBDA_RUNTIME_API, AWS_LAMBDA_LOG_FORMAT, AWS_LAMBDA_LOG_LEVEL, LAMBDA_TASK_ROOT } = process.env;
const ROOT = LAMBDA_TASK_ROOT;
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
// "callback-based function handlers are only supported up to Node.js 22"
const TAKES_CALLBACKS = !/nodejs(2[4-9]|[3-9]\d)/.test(process.env.AWS_EXECUTION_ENV ?? '');
const UNHANDLED_REJECTION = 128, UNCAUGHT_EXCEPTION = 129;

const [host, port] = AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
let requestId;
let whenIdle;

function call(method, what, body, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, agent, method, path: VERSION + what, headers }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('end', () => resolve({ headers: response.headers, body: Buffer.concat(parts) }));
    });
    request.on('error', reject);
    request.setNoDelay(true);
    request.end(body);
  });
}

class RuntimeError extends Error {
  constructor(name, message, options) {
    super(message, options);
    this.name = `Runtime.${name}`;
  }
}

function describe(error) {
  if (!(error instanceof Error || util.types.isNativeError(error))) {
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  }
  return { errorType: error.name, errorMessage: error.message, trace: (error.stack ?? '').split('\n') };
}

function report(what, error) {
  const described = describe(error);
  const body = JSON.stringify(described);
  return call('POST', what, body, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Lambda-Runtime-Function-Error-Type': encodeURIComponent(described.errorType),
  });
}

// --- Log lines: one event each, whatever it holds.

function write(level, text, more) {
  const timestamp = new Date().toISOString();
  if (AWS_LAMBDA_LOG_FORMAT === 'JSON') {
    if (LEVELS.indexOf(level) < LEVELS.indexOf(AWS_LAMBDA_LOG_LEVEL ?? 'INFO')) return;
    process.stdout.write(`${JSON.stringify({ timestamp, level, requestId, message: text, ...more })}\n`);
  } else {
    const rest = more ? `\t${JSON.stringify(more)}` : '';
    // The engine makes them line feeds again.
    process.stdout.write(`${timestamp}\t${requestId}\t${level}\t${text}${rest}`.replaceAll('\n', '\r') + '\n');
  }
}

const METHODS = { log: 'INFO', info: 'INFO', warn: 'WARN', error: 'ERROR', debug: 'DEBUG', trace: 'TRACE' };
for (const [method, level] of Object.entries(METHODS)) {
  console[method] = (...values) => write(level, util.format(...values));
}

// --- The handler.

function isModule(file) {
  if (!file.endsWith('.js')) return file.endsWith('.mjs');
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    const description = path.join(folder, 'package.json');
    if (existsSync(description)) return JSON.parse(readFileSync(description, 'utf8')).type === 'module';
    if (folder === ROOT || folder === path.dirname(folder)) return false;
  }
}

async function load(name) {
  const file = ['', '.js', '.mjs', '.cjs'].map((ending) => path.resolve(ROOT, name + ending)).find(
    (candidate) => existsSync(candidate) && path.extname(candidate),
  );
  try {
    if (file === undefined) throw new Error(`Cannot find module '${name}'`);
    return isModule(file) ? await import(pathToFileURL(file)) : module.createRequire(file)(file);
  } catch (error) {
    if (error instanceof SyntaxError) throw new RuntimeError('UserCodeSyntaxError', String(error));
    if (file === undefined || ['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND'].includes(error.code)) {
      throw new RuntimeError('ImportModuleError', String(error), { cause: error });
    }
    throw error;
  }
}

async function findHandler(handler) {
  const { dir, base } = path.parse(handler);
  const parts = /^([^.]*)\.(.*)$/.exec(base);
  if (handler.includes('..') || parts === null) throw new RuntimeError('MalformedHandlerName', 'Bad handler');
  const found = parts[2].split('.').reduce((value, name) => value?.[name], await load(path.join(dir, parts[1])));
  if (found === undefined) throw new RuntimeError('HandlerNotFound', `${handler} is undefined or not exported`);
  if (typeof found !== 'function') throw new RuntimeError('HandlerNotFound', `${handler} is not a function`);
  if (!TAKES_CALLBACKS && found.length > 2) {
    const message = 'AWS Lambda has removed support for callback-based function handlers starting with Node.js 24';
    throw new RuntimeError('CallbackHandlerDeprecated', `ERROR: ${message}: make it an async function`);
  }
  return found;
}

// require() looks into the layers by NODE_PATH; import does so in Lambda, and not in Node.js.
function importFromLayers() {
  const folders = (process.env.NODE_PATH ?? '').split(':').filter((folder) => folder && existsSync(folder));
  const parents = folders.map((folder) => String(pathToFileURL(path.join(folder, '..', 'index.mjs'))));
  const isBare = /^[^./]/;
  if (parents.length === 0) return;
  if (module.registerHooks) {
    module.registerHooks({
      resolve(name, context, next) {
        for (const parentURL of [context.parentURL, ...(isBare.test(name) ? parents : [])]) {
          try {
            return next(name, { ...context, parentURL });
          } catch (error) {
            if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
          }
        }
        return next(name, context);
      },
    });
    return;
  }
  const hooks = `export async function resolve(name, context, next) {
    for (const parentURL of [context.parentURL, ...(${isBare}.test(name) ? ${JSON.stringify(parents)} : [])]) {
      try {
        return await next(name, { ...context, parentURL });
      } catch (error) {
        if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
      }
    }
    return next(name, context);
  }`;
  module.register(`data:text/javascript,${encodeURIComponent(hooks)}`);
}

// --- Calls.

function contextOf(headers) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const clientContext = headers['lambda-runtime-client-context'];
  return {
    awsRequestId: requestId,
    callbackWaitsForEmptyEventLoop: true,
    clientContext: clientContext && JSON.parse(clientContext),
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    getRemainingTimeInMillis: () => deadline - Date.now(),
    identity: undefined,
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    tenantId: headers['lambda-runtime-aws-tenant-id'],
  };
}

function run(handler, event, context) {
  return new Promise((resolve, reject) => {
    let kept = null;
    whenIdle = () => resolve(kept);
    const callback = (error, result) => {
      if (error !== undefined && error !== null) reject(error);
      kept = result;
      if (!context.callbackWaitsForEmptyEventLoop) resolve(result);
    };
    if (TAKES_CALLBACKS) {
      context.done = callback;
      context.succeed = (result) => callback(null, result);
      context.fail = (error) => callback(error ?? 'handled');
    }
    const returned = TAKES_CALLBACKS ? handler(event, context, callback) : handler(event, context);
    if (typeof returned?.then === 'function') returned.then(resolve, reject);
  });
}

async function serve(handler) {
  const { headers, body } = await call('GET', '/invocation/next');
  requestId = headers['lambda-runtime-aws-request-id'];
  process.env._X_AMZN_TRACE_ID = headers['lambda-runtime-trace-id'];
  const answer = `/invocation/${requestId}`;
  try {
    const result = await run(handler, JSON.parse(body), contextOf(headers));
    const payload = JSON.stringify(result ?? null);
    await call('POST', `${answer}/response`, payload, {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(payload),
    });
  } catch (error) {
    write('ERROR', 'Invoke Error ', describe(error));
    await report(`${answer}/error`, error);
  }
}

async function end(kind, error, status) {
  write('ERROR', `${kind} `, describe(error));
  await report(requestId === undefined ? '/init/error' : `/invocation/${requestId}/error`, error);
  process.exit(status);
}

process.on('beforeExit', () => whenIdle?.());
process.on('uncaughtException', (error) => end('Uncaught Exception', error, UNCAUGHT_EXCEPTION));
process.on('unhandledRejection', (reason) =>
  end('Unhandled Promise Rejection', new RuntimeError('UnhandledPromiseRejection', String(reason)), UNHANDLED_REJECTION),
);

importFromLayers();
let handler;
try {
  handler = await findHandler(process.env._HANDLER);
} catch (error) {
  await end('Uncaught Exception', error, UNCAUGHT_EXCEPTION);
}
for (;;) await serve(handler);
