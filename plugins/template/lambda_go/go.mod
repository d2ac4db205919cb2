module line_sizes

go 1.19
