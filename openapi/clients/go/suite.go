// One round trip through every part of a gateway, with the client that is generated for Go.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	aquifer "github.com/GIT_USER_ID/GIT_REPO_ID"
)

var (
	ctx    = context.Background()
	client *aquifer.APIClient
)

func main() {
	configuration := aquifer.NewConfiguration()
	configuration.Servers = aquifer.ServerConfigurations{{URL: os.Args[1]}}
	client = aquifer.NewAPIClient(configuration)
	topic()
	produce()
	read()
	session()
	refusals()
	newer()
}

// Call is a request that is ready to be sent.
type Call[A any] interface {
	Execute() (*A, *http.Response, error)
}

// answered is what a request brings.
func answered[A any](call Call[A]) *A {
	answer, _, err := call.Execute()
	if err != nil {
		panic(err)
	}
	return answer
}

// refused is the problem that a request is refused with.
func refused(status int, code string, response *http.Response, err error) aquifer.Problem {
	var refusal *aquifer.GenericOpenAPIError
	if !errors.As(err, &refusal) {
		panic(fmt.Sprintf("not refused with %s: %v", code, err))
	}
	problem := refusal.Model().(aquifer.Problem)
	equal(status, response.StatusCode)
	equal(code, problem.Code)
	if problem.Hint == "" {
		panic("no hint")
	}
	return problem
}

func equal(wanted, found any) {
	if !reflect.DeepEqual(wanted, found) {
		panic(fmt.Sprintf("%#v, not %#v", found, wanted))
	}
}

func some[T any](value T) *T { return &value }

func topic() {
	topics := client.TopicsAPI
	wanted := aquifer.CreateTopicRequest{Partitions: some(int32(1)), Configs: map[string]string{"retention.ms": "3600000"}}
	made := answered(topics.CreateTopic(ctx, "orders").CreateTopicRequest(wanted))
	equal("orders", made.Name)
	equal(1, len(made.Partitions))
	answered(topics.CreateTopic(ctx, "orders").CreateTopicRequest(aquifer.CreateTopicRequest{Partitions: some(int32(1))}))
	listed := answered(topics.ListTopics(ctx))
	equal(true, slices.ContainsFunc(listed.Items, func(topic aquifer.Topic) bool { return topic.Name == "orders" }))
	for _, config := range answered(topics.GetTopic(ctx, "orders")).Configs {
		if config.Name == "retention.ms" {
			equal("3600000", config.GetValue())
		}
	}
}

func produce() {
	records := client.RecordsAPI
	wanted := []aquifer.ProduceRecord{
		{
			KeyText:   some("k"),
			Headers:   []aquifer.ProduceHeader{{Name: "origin", ValueText: some("suite")}},
			ValueJson: map[string]any{"amount": 3, "paid": true, "lines": []string{"a"}},
		},
		{ValueText: some("grüße")},
		{ValueBase64: some("AP8=")},
		{KeyText: some("k"), Tombstone: some(true)},
	}
	written := answered(records.ProduceRecords(ctx, "orders").ProduceRequest(aquifer.ProduceRequest{Records: wanted}))
	equal(int32(0), written.Failed)
	for i, result := range written.Results {
		equal(fmt.Sprint(i), result.GetOffset())
	}
	equal(4, len(written.Results))

	// A body of bytes is a file to this generator.
	body, err := os.Create(filepath.Join(os.TempDir(), fmt.Sprintf("suite-%d", os.Getpid())))
	if err != nil {
		panic(err)
	}
	defer os.Remove(body.Name())
	body.WriteString("raw \x00")
	body.Seek(0, 0)
	raw := answered(records.ProduceRaw(ctx, "orders").Key("r").Body(body))
	equal("4", raw.Results[0].GetOffset())

	mixed := []aquifer.ProduceRecord{
		{Partition: some(int32(0)), ValueText: some("in")},
		{Partition: some(int32(9)), ValueText: some("out")},
	}
	part := answered(records.ProduceRecords(ctx, "orders").ProduceRequest(aquifer.ProduceRequest{Records: mixed}))
	equal(int32(1), part.Failed)
	equal("5", part.Results[0].GetOffset())
	equal("unknown_partition", part.Results[1].Error.Code)
}

func read() {
	records := client.RecordsAPI
	page := answered(records.ReadRecords(ctx, "orders", 0).From("earliest").Values(aquifer.JSON))
	equal([]string{"0", "1", "2", "3", "4", "5"}, offsets(page.Records))
	first, text, binary, tombstone, raw := page.Records[0], page.Records[1], page.Records[2], page.Records[3], page.Records[4]
	equal("k", first.GetKeyText())
	equal(any(map[string]any{"amount": 3.0, "paid": true, "lines": []any{"a"}}), first.ValueJson)
	equal(1, len(first.Headers))
	equal("origin", first.Headers[0].Name)
	equal("suite", first.Headers[0].GetValueText())
	equal("grüße", text.GetValueText())
	equal(false, text.HasKeyText())
	equal("AP8=", binary.GetValueBase64())
	equal(true, tombstone.GetTombstone())
	equal("raw \x00", raw.GetValueText())
	equal("6", page.NextOffset)
	equal("6", page.HighWatermark)
	equal(0, len(answered(records.ReadRecords(ctx, "orders", 0).From(page.Cursor)).Records))
}

func session() {
	sessions, groups := client.SessionsAPI, client.GroupsAPI
	poll := func(token string, after *string) *aquifer.PollSessionResponse {
		request := aquifer.PollSessionRequest{Token: token, After: after, MaxRecords: some(int32(4)), WaitMs: some(int32(5000))}
		return answered(sessions.PollSession(ctx).PollSessionRequest(request))
	}
	wanted := aquifer.OpenSessionRequest{Topics: []string{"orders"}, From: some("earliest")}
	token := answered(sessions.OpenSession(ctx, "billing").OpenSessionRequest(wanted)).Token
	var cursor *string
	var seen []string
	for len(seen) < 6 {
		polled := poll(token, cursor)
		token, cursor = polled.Token, &polled.Cursor
		seen = append(seen, offsets(polled.Records)...)
	}
	equal([]string{"0", "1", "2", "3", "4", "5"}, seen)
	acknowledged := aquifer.CommitSessionRequest{Token: token, Ack: *cursor}
	committed := answered(sessions.CommitSession(ctx).CommitSessionRequest(acknowledged))
	equal(1, len(committed.Committed))
	equal("6", committed.Committed[0].Offset)
	lag := answered(groups.GetGroupLag(ctx, "billing"))
	equal("6", lag.Items[0].GetOffset())
	equal("0", lag.TotalLag)

	back := []aquifer.SeekPosition{{Topic: "orders", Partition: some(int32(0)), From: "4"}}
	elsewhere := aquifer.SeekSessionRequest{Token: committed.Token, Positions: back}
	sought := answered(sessions.SeekSession(ctx).SeekSessionRequest(elsewhere))
	again := poll(sought.Token, &sought.Cursor)
	equal([]string{"4", "5"}, offsets(again.Records))
	last := aquifer.CloseSessionRequest{Token: again.Token, Ack: &again.Cursor}
	closed := answered(sessions.CloseSession(ctx).CloseSessionRequest(last))
	equal("6", closed.Committed[0].Offset)
	equal(0, len(answered(groups.GetGroup(ctx, "billing")).Members))
	if _, err := groups.DeleteGroup(ctx, "billing").Execute(); err != nil {
		panic(err)
	}
}

func offsets(records []aquifer.Record) []string {
	var found []string
	for _, record := range records {
		found = append(found, record.Offset)
	}
	return found
}

func refusals() {
	topics := client.TopicsAPI
	_, response, err := topics.GetTopic(ctx, "none").Execute()
	missing := refused(404, "unknown_topic", response, err)
	equal(false, missing.Retryable)
	equal("none", missing.GetTopic())
	other := aquifer.CreateTopicRequest{Partitions: some(int32(2))}
	_, response, err = topics.CreateTopic(ctx, "orders").CreateTopicRequest(other).Execute()
	refused(409, "topic_exists", response, err)
	_, response, err = client.RecordsAPI.ReadRecords(ctx, "orders", 0).From("99").Execute()
	beyond := refused(416, "offset_out_of_range", response, err)
	equal("6", beyond.GetLatestOffset())
	forged := aquifer.PollSessionRequest{Token: "x"}
	_, response, err = client.SessionsAPI.PollSession(ctx).PollSessionRequest(forged).Execute()
	refused(400, "invalid_token", response, err)
	if _, err := topics.DeleteTopic(ctx, "orders").Execute(); err != nil {
		panic(err)
	}
	response, err = topics.DeleteTopic(ctx, "orders").Execute()
	refused(404, "unknown_topic", response, err)
}

func newer() {
	text := `{"type":"t","title":"t","status":404,"detail":"d","code":"c","retryable":false,"hint":"h","unheard_of":[1]}`
	var problem aquifer.Problem
	if err := json.Unmarshal([]byte(text), &problem); err != nil {
		panic(err)
	}
	equal("c", problem.Code)
}
