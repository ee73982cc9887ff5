module example.com/bench/measure

go 1.26
