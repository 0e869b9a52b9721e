data "aws_caller_identity" "here" {}
data "aws_partition" "here" {}
data "aws_s3_bucket" "code" {
  bucket = var.bucket
}

locals {
  folder    = coalesce(var.folder, "${path.module}/package")
  region    = data.aws_s3_bucket.code.region
  account   = data.aws_caller_identity.here.account_id
  partition = data.aws_partition.here.partition
  batch_arn = "arn:${local.partition}:batch:${local.region}:${local.account}"
  jobs      = [for name in try(var.batch.job_definitions, []) : "${local.batch_arn}:job-definition/${name}"]
  queues    = [for name in try(var.batch.job_queues, []) : "${local.batch_arn}:job-queue/${name}"]
  targets   = join(",", concat(var.targets, local.jobs))
  doors     = join(",", [for alias, name in var.front_doors : "${alias}=${name}"])
}

# --- The packaged template, in your bucket ---

module "addresses" {
  source     = "./modules/addresses"
  folder     = local.folder
  bucket     = var.bucket
  bucket_url = "https://s3.${local.region}.${data.aws_partition.here.dns_suffix}/${var.bucket}"
}

resource "aws_s3_object" "code" {
  for_each    = module.addresses.zips
  bucket      = var.bucket
  key         = "${module.addresses.prefix}/${each.key}"
  source      = "${local.folder}/${each.key}"
  source_hash = filemd5("${local.folder}/${each.key}")
}

resource "aws_s3_object" "template" {
  for_each = module.addresses.templates
  bucket   = var.bucket
  key      = "${module.addresses.prefix}/${each.key}"
  content  = each.value
}

# --- The stacks ---

resource "aws_cloudformation_stack" "root" {
  name         = var.stack_name
  template_url = module.addresses.urls["template.json"]
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  parameters   = merge({ Targets = local.targets, FrontDoors = local.doors }, var.parameters)
  depends_on   = [aws_s3_object.code, aws_s3_object.template]
}

resource "aws_cloudformation_stack" "schedules" {
  count        = var.schedules == null ? 0 : 1
  name         = "${var.stack_name}-schedules"
  template_url = module.addresses.urls["schedules.json"]
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  parameters   = merge({ RootStack = var.stack_name, Targets = local.targets }, var.schedules)
  depends_on   = [aws_cloudformation_stack.root]
}

resource "aws_cloudformation_stack" "batch" {
  count        = var.batch == null ? 0 : 1
  name         = "${var.stack_name}-batch"
  template_url = module.addresses.urls["batch.json"]
  capabilities = ["CAPABILITY_IAM"]
  parameters = merge({
    RootStack           = var.stack_name
    BatchJobDefinitions = join(",", local.jobs)
    BatchJobQueues      = join(",", local.queues)
  }, try(var.batch.parameters, {}))
  depends_on = [aws_cloudformation_stack.root]
}

resource "aws_lambda_alias" "door" {
  for_each         = var.front_doors
  name             = each.key
  description      = "front door: ${each.key}"
  function_name    = aws_cloudformation_stack.root.outputs["InvokerFunction"]
  function_version = "$LATEST"
}
