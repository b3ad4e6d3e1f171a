module checks

go 1.24

require wasimap v0.0.0

replace wasimap => ../../go
