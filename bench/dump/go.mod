module example.com/bench/dump

go 1.26
