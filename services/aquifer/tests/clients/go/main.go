// Go's Kafka clients as ../README.md asks for them: driver BOOTSTRAP CLIENT.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"runtime/debug"
	"strings"
	"time"
)

// Longer than any of the clients' own limits.
const limit = 20 * time.Second

type record struct {
	Offset    int64        `json:"offset"`
	Timestamp *int64       `json:"timestamp"`
	Key       *string      `json:"key"`
	Value     *string      `json:"value"`
	Headers   [][2]*string `json:"headers"`
}

type request struct {
	Op         string
	Topic      string
	Partition  int32
	Codec      string
	Idempotent bool
	BatchBytes int `json:"batch_bytes"`
	Records    []record
	ID         string
	From       int64
	Count      int
	Reset      string
	TimeoutMs  int64 `json:"timeout_ms"`
	Timestamp  int64
	Partitions int32
	Configs    map[string]string
	Name       string
	Value      string
	Before     int64
	Member     string
	Group      string
	Protocol   string
	Instance   string
}

type object = map[string]any

// What a client can do, by the name of the operation.
type operations = map[string]func(context.Context, request) (any, error)

// A client has no such thing.
type absent string

func (why absent) Error() string { return string(why) }

type client struct {
	module     string
	operations operations
	join       func(request, *member) error
	// The broker's code in an error of this client's.
	code func(error) (int, bool)
}

func main() {
	bootstrap, name := os.Args[1], os.Args[2]
	clients := map[string]func(string) client{"franz-go": franzGo, "sarama": saramaClient, "kafka-go": kafkaGo}
	chosen := clients[name](bootstrap)
	members := members{}
	chosen.operations["version"] = func(context.Context, request) (any, error) {
		return object{"version": versionOf(chosen.module)}, nil
	}
	chosen.operations["join"] = func(_ context.Context, r request) (any, error) { return members.join(r, chosen.join) }
	chosen.operations["poll"] = func(_ context.Context, r request) (any, error) { return members[r.Member].poll(), nil }
	chosen.operations["leave"] = func(_ context.Context, r request) (any, error) { return members.leave(r) }
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 64<<20)
	out := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked request
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			panic(err)
		}
		if err := out.Encode(answer(chosen, asked)); err != nil {
			panic(err)
		}
	}
}

func answer(client client, asked request) object {
	operation, found := client.operations[asked.Op]
	if !found {
		return object{"absent": "no call to " + strings.ReplaceAll(asked.Op, "_", " ")}
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit+time.Duration(asked.TimeoutMs)*time.Millisecond)
	defer cancel()
	ok, err := operation(ctx, asked)
	var why absent
	if errors.As(err, &why) {
		return object{"absent": string(why)}
	}
	if err != nil {
		told := object{"code": nil, "message": err.Error()}
		if code, known := client.code(err); known {
			told["code"] = code
		}
		return object{"error": told}
	}
	return object{"ok": ok}
}

func versionOf(module string) string {
	build, _ := debug.ReadBuildInfo()
	for _, dependency := range build.Deps {
		if dependency.Path == module {
			return dependency.Version[1:]
		}
	}
	return "unknown"
}

func bytesOf(text *string) []byte {
	if text == nil {
		return nil
	}
	return []byte(*text)
}

func textOf(data []byte) *string {
	if data == nil {
		return nil
	}
	text := string(data)
	return &text
}
