// Sends events through fluent-logger-golang and waits for their acknowledgements.
//
// Usage: client HOST PORT COUNT ASYNC (true or false) [CA]
// Exit code 0 means that every event was acknowledged (RequestAck).
package main

import (
	"fmt"
	"os"
	"strconv"

	"github.com/fluent/fluent-logger-golang/fluent"
)

func main() {
	port, _ := strconv.Atoi(os.Args[2])
	count, _ := strconv.Atoi(os.Args[3])
	config := fluent.Config{
		FluentHost:         os.Args[1],
		FluentPort:         port,
		RequestAck:         true,
		Async:              os.Args[4] == "true",
		SubSecondPrecision: true,
		MaxRetry:           1,
	}
	if config.Async {
		config.AsyncResultCallback = func(data []byte, err error) {
			if err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
	logger, err := fluent.New(config)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	for n := 0; n < count; n++ {
		if err := logger.Post("go.event", map[string]any{"n": n, "text": "π"}); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	if err := logger.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
