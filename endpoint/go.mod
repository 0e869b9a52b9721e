module reprise/endpoint

go 1.27
