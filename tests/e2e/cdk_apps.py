"""Apps of CDK around the examples of docs/howto/cdk.md; what they are told is on standard input."""

from __future__ import annotations

from typing import Final

MORE: Final = """
from aws_cdk import aws_iam as iam
from reprise_cdk import BatchProps, Reprise, SchedulesProps
named = lambda_.Function(self, "Named", function_name="named", handler="index.handler",
    runtime=lambda_.Runtime.PYTHON_3_13, code=lambda_.Code.from_inline(said["code"]))
reprise = Reprise(self, "Reprise", targets=[named], schedules=SchedulesProps(warm=[named]),
    batch=BatchProps(job_definitions=["nightly"], job_queues=["spot"]))
door = reprise.front_door(named, name="checkout")
door.add_permission("Api", principal=iam.ServicePrincipal("apigateway.amazonaws.com"))
"""
PYTHON: Final = """
import json, sys
import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
said = json.load(sys.stdin)
app = cdk.App(outdir=said["outdir"])
self = cdk.Stack(app, said["app"])
orders = lambda_.Function.from_function_name(self, "Orders", said["orders"])
web_shop = lambda_.Function(self, "WebShop", function_name=said["shop"],
    runtime=lambda_.Runtime.PYTHON_3_13, handler="index.handler", timeout=cdk.Duration.seconds(30),
    code=lambda_.Code.from_inline(said["code"]), environment={"ORDERS": said["orders"]})
EXAMPLE
app.synth()
"""
TYPESCRIPT: Final = """
import { readFileSync } from 'fs';
import * as cdk from 'aws-cdk-lib';
import * as lambda from 'aws-cdk-lib/aws-lambda';
IMPORTS
const said = JSON.parse(readFileSync(0, 'utf8'));
class Shop extends cdk.Stack {
  constructor(app: cdk.App) {
    super(app, said.app);
    const orders = lambda.Function.fromFunctionName(this, 'Orders', said.orders);
    const webShop = new lambda.Function(this, 'WebShop', { functionName: said.shop,
      runtime: lambda.Runtime.PYTHON_3_13, handler: 'index.handler', timeout: cdk.Duration.seconds(30),
      code: lambda.Code.fromInline(said.code), environment: { ORDERS: said.orders } });
EXAMPLE
  }
}
const app = new cdk.App({ outdir: said.outdir });
new Shop(app);
app.synth();
"""
