variable "targets" {
  description = "Unqualified ARNs of the functions whose calls are kept and replayed."
  type        = list(string)
}

variable "bucket" {
  description = "Name of a bucket of yours in this region, for the release's code and templates."
  type        = string
}

variable "callers" {
  description = "Callers that are protected: a name for each, and the name of the role that it runs as."
  type        = map(string)
  default     = {}
}

variable "front_doors" {
  description = "Aliases of the invoker that stand for one target each: the alias, and the function's name."
  type        = map(string)
  default     = {}
}

variable "schedules" {
  description = "Parameters of the add-on schedules, such as WarmFunctions; null deploys none. {} is enough."
  type        = map(string)
  default     = null
}

variable "batch" {
  description = "Names of the job definitions whose failed jobs are submitted again, and of their queues; null deploys none."
  type = object({
    job_definitions = list(string)
    job_queues      = list(string)
    parameters      = optional(map(string), {})
  })
  default = null
}

variable "stack_name" {
  description = "Name of the stack, and the start of every name in it."
  type        = string
  default     = "reprise"
}

variable "parameters" {
  description = "Other parameters of the template, by name, such as IncidentEmail."
  type        = map(string)
  default     = {}
}

variable "folder" {
  description = "Folder of the unpacked packaged template; by default the one that the released module has."
  type        = string
  default     = null
}
