module example.com/nilfield

go 1.27
