output "layers" {
  description = "For `layers` of a protected caller, by its architecture: x86_64 or arm64."
  value       = { for architecture, layer in aws_lambda_layer_version.endpoint : architecture => layer.arn }
}

output "environment" {
  description = "For the variables of a protected caller, by its name in `callers`."
  value = {
    for name in keys(var.callers) : name => {
      AWS_ENDPOINT_URL_LAMBDA = "http://127.0.0.1:9350"
      REPRISE_STACK           = var.stack_name
      REPRISE_SOURCE          = name
    }
  }
}

output "doors" {
  description = "ARN of each front door: what API Gateway, load balancers and Step Functions call in the target's place."
  value       = { for name, alias in aws_lambda_alias.door : name => alias.arn }
}

output "stack" {
  description = "Outputs of the stack."
  value       = aws_cloudformation_stack.root.outputs
}
