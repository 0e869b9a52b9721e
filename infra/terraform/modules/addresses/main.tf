# The packaged template with addresses in the place of its files' names. No provider: what it makes can be looked at with
# `terraform apply` alone.

variable "folder" {
  description = "Folder of the packaged template."
  type        = string
}

variable "bucket" {
  description = "Bucket that the files are put into."
  type        = string
}

variable "bucket_url" {
  description = "Where the bucket is, such as https://s3.eu-west-1.amazonaws.com/my-code."
  type        = string
}

locals {
  named = setunion(fileset(var.folder, "*.json"), fileset(var.folder, "*.zip"))
  # By what is in them: CloudFormation looks at a file again only if it has another address.
  prefix = "reprise/${substr(sha256(join("", [for name in sort(tolist(local.named)) : filesha256("${var.folder}/${name}")])), 0, 16)}"
  texts = {
    for name in fileset(var.folder, "*.json") : name => replace(
      replace(
        file("${var.folder}/${name}"),
        "/\"TemplateURL\": \"([^\"]+)\"/", "\"TemplateURL\": \"${var.bucket_url}/${local.prefix}/$1\""
      ),
      "/\"(CodeUri|ContentUri)\": \"([^\"]+)\"/", "\"$1\": \"s3://${var.bucket}/${local.prefix}/$2\""
    )
  }
}

output "prefix" {
  description = "Where in the bucket the files are."
  value       = local.prefix
}

output "templates" {
  description = "Text of each template, by file name."
  value       = local.texts
}

output "zips" {
  description = "Names of the files that are put there as they are."
  value       = fileset(var.folder, "*.zip")
}

output "urls" {
  description = "Address of each template, by file name."
  value       = { for name in keys(local.texts) : name => "${var.bucket_url}/${local.prefix}/${name}" }
}
