// A JSON number is a float64, not an int.
package main

import (
	"encoding/json"
	"fmt"
)

//go:noinline
func port(config map[string]interface{}) int {
	return config["port"].(int) // culprit: it is a float64
}

func main() {
	config := map[string]interface{}{}
	if err := json.Unmarshal([]byte(`{"port": 80}`), &config); err != nil {
		panic(err)
	}
	fmt.Println(port(config))
}
