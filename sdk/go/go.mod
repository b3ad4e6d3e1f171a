module wasimap

go 1.24
