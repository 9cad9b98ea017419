package main

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

type segmentio struct {
	bootstrap string
	client    *kafka.Client
}

func kafkaGo(bootstrap string) client {
	address, err := net.ResolveTCPAddr("tcp", bootstrap)
	if err != nil {
		panic(err)
	}
	s := segmentio{bootstrap, &kafka.Client{Addr: address, Timeout: limit}}
	return client{
		module: "github.com/segmentio/kafka-go",
		operations: operations{
			"produce":           s.produce,
			"transaction":       s.transaction,
			"read":              s.read,
			"ends":              s.ends,
			"offset_for_time":   s.offsetForTime,
			"create_topic":      s.createTopic,
			"create_partitions": s.createPartitions,
			"partitions":        s.partitions,
			"describe_configs":  s.describeConfigs,
			"alter_config":      s.alterConfig,
			"delete_topic":      s.deleteTopic,
			"describe_cluster":  s.describeCluster,
		},
		join: s.join,
		code: func(err error) (int, bool) {
			var code kafka.Error
			if errors.As(err, &code) && code > 0 {
				return int(code), true
			}
			return 0, false
		},
	}
}

var kafkaGoCodecs = map[string]kafka.Compression{
	"gzip": kafka.Gzip, "snappy": kafka.Snappy, "lz4": kafka.Lz4, "zstd": kafka.Zstd,
}

func (s segmentio) produce(ctx context.Context, r request) (any, error) {
	if r.Idempotent {
		return nil, absent("kafka-go has no idempotent writer")
	}
	offsets, mutex := []int64{}, sync.Mutex{}
	writer := kafka.Writer{
		Addr:                   s.client.Addr,
		Topic:                  r.Topic,
		Balancer:               kafka.BalancerFunc(func(kafka.Message, ...int) int { return int(r.Partition) }),
		RequiredAcks:           kafka.RequireAll,
		Compression:            kafkaGoCodecs[r.Codec],
		BatchSize:              len(r.Records),
		BatchBytes:             10_000_000,
		BatchTimeout:           10 * time.Millisecond,
		MaxAttempts:            3,
		AllowAutoTopicCreation: true,
		// What the shared one knows of topics may be seconds old.
		Transport: &kafka.Transport{},
		Completion: func(messages []kafka.Message, err error) {
			mutex.Lock()
			defer mutex.Unlock()
			for _, message := range messages {
				offsets = append(offsets, message.Offset)
			}
		},
	}
	messages := make([]kafka.Message, len(r.Records))
	for at, one := range r.Records {
		message := kafka.Message{Key: bytesOf(one.Key), Value: bytesOf(one.Value)}
		if one.Timestamp != nil {
			message.Time = time.UnixMilli(*one.Timestamp)
		}
		for _, header := range one.Headers {
			message.Headers = append(message.Headers, kafka.Header{Key: *header[0], Value: bytesOf(header[1])})
		}
		messages[at] = message
	}
	err := writer.WriteMessages(ctx, messages...)
	if failure := writer.Close(); err == nil {
		err = failure
	}
	var each kafka.WriteErrors
	if errors.As(err, &each) {
		err = errors.Join(each...)
	}
	if err != nil {
		return nil, err
	}
	return object{"offsets": offsets}, nil
}

func (s segmentio) transaction(ctx context.Context, r request) (any, error) {
	answer, err := s.client.InitProducerID(ctx, &kafka.InitProducerIDRequest{TransactionalID: r.ID, TransactionTimeoutMs: 60_000})
	if err != nil {
		return nil, err
	}
	return object{}, answer.Error
}

func (s segmentio) read(ctx context.Context, r request) (any, error) {
	reader := kafka.NewReader(kafka.ReaderConfig{
		Brokers:               []string{s.bootstrap},
		Topic:                 r.Topic,
		Partition:             int(r.Partition),
		MaxWait:               200 * time.Millisecond,
		MaxBytes:              50 << 20,
		OffsetOutOfRangeError: true,
	})
	defer reader.Close()
	if err := reader.SetOffset(r.From); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.TimeoutMs)*time.Millisecond)
	defer cancel()
	records := []record{}
	for len(records) < r.Count {
		one, err := reader.ReadMessage(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			break
		}
		if errors.Is(err, kafka.OffsetOutOfRange) && r.Reset != "" && r.Reset != "none" {
			return nil, absent("kafka-go's reader resets no offsets")
		}
		if err != nil {
			return nil, err
		}
		timestamp, headers := one.Time.UnixMilli(), [][2]*string{}
		for _, header := range one.Headers {
			headers = append(headers, [2]*string{&header.Key, textOf(header.Value)})
		}
		records = append(records, record{one.Offset, &timestamp, textOf(one.Key), textOf(one.Value), headers})
	}
	return object{"records": records}, nil
}

func (s segmentio) join(r request, joining *member) error {
	if r.Protocol == "consumer" {
		return absent("kafka-go has the classic protocol only")
	}
	if r.Instance != "" {
		return absent("kafka-go has no static members")
	}
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID:                r.Group,
		Brokers:           []string{s.bootstrap},
		Topics:            []string{r.Topic},
		HeartbeatInterval: 500 * time.Millisecond,
		SessionTimeout:    10 * time.Second,
		JoinGroupBackoff:  200 * time.Millisecond,
		StartOffset:       kafka.FirstOffset,
	})
	if err != nil {
		return err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			generation, err := group.Next(context.Background())
			if errors.Is(err, kafka.ErrGroupClosed) {
				return
			}
			if err != nil {
				joining.failed(err)
				continue
			}
			s.follow(r.Topic, generation, joining)
		}
	}()
	joining.close = func() error {
		err := group.Close()
		<-ended
		return err
	}
	return nil
}

// Reads what one generation gives to a member, until there is another.
func (s segmentio) follow(topic string, generation *kafka.Generation, joining *member) {
	partitions := []int32{}
	for _, assigned := range generation.Assignments[topic] {
		partitions = append(partitions, int32(assigned.ID))
		generation.Start(func(ctx context.Context) {
			reader := kafka.NewReader(kafka.ReaderConfig{
				Brokers: []string{s.bootstrap}, Topic: topic, Partition: assigned.ID, MaxWait: 200 * time.Millisecond,
			})
			defer reader.Close()
			if err := reader.SetOffset(assigned.Offset); err != nil {
				joining.failed(err)
				return
			}
			for {
				one, err := reader.ReadMessage(ctx)
				if errors.Is(err, kafka.ErrGenerationEnded) {
					return
				}
				if err == nil {
					next := map[string]map[int]int64{topic: {one.Partition: one.Offset + 1}}
					err = generation.CommitOffsets(next)
				}
				if err != nil {
					joining.failed(err)
					return
				}
				joining.committed(int32(one.Partition), one.Offset)
			}
		})
	}
	joining.assigned(partitions)
	generation.Start(func(ctx context.Context) {
		<-ctx.Done()
		joining.revoked(partitions)
	})
}

func (s segmentio) offsets(ctx context.Context, r request, asked ...kafka.OffsetRequest) (kafka.PartitionOffsets, error) {
	answer, err := s.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{r.Topic: asked}})
	if err != nil {
		return kafka.PartitionOffsets{}, err
	}
	return answer.Topics[r.Topic][0], answer.Topics[r.Topic][0].Error
}

func (s segmentio) ends(ctx context.Context, r request) (any, error) {
	partition := int(r.Partition)
	told, err := s.offsets(ctx, r, kafka.FirstOffsetOf(partition), kafka.LastOffsetOf(partition))
	return object{"beginning": told.FirstOffset, "end": told.LastOffset}, err
}

func (s segmentio) offsetForTime(ctx context.Context, r request) (any, error) {
	told, err := s.offsets(ctx, r, kafka.TimeOffsetOf(int(r.Partition), time.UnixMilli(r.Timestamp)))
	for offset := range told.Offsets {
		if offset >= 0 {
			return object{"offset": offset}, err
		}
	}
	return object{"offset": nil}, err
}

func (s segmentio) createTopic(ctx context.Context, r request) (any, error) {
	config := kafka.TopicConfig{Topic: r.Topic, NumPartitions: int(max(r.Partitions, 1)), ReplicationFactor: 1}
	for name, value := range r.Configs {
		config.ConfigEntries = append(config.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
	}
	answer, err := s.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{config}})
	if err != nil {
		return nil, err
	}
	return object{}, answer.Errors[r.Topic]
}

func (s segmentio) createPartitions(ctx context.Context, r request) (any, error) {
	topics := []kafka.TopicPartitionsConfig{{Name: r.Topic, Count: r.Partitions}}
	answer, err := s.client.CreatePartitions(ctx, &kafka.CreatePartitionsRequest{Topics: topics})
	if err != nil {
		return nil, err
	}
	return object{}, answer.Errors[r.Topic]
}

func (s segmentio) partitions(ctx context.Context, r request) (any, error) {
	// What Client.Metadata answers may be seconds old.
	connection, err := kafka.DialContext(ctx, "tcp", s.bootstrap)
	if err != nil {
		return nil, err
	}
	defer connection.Close()
	partitions, err := connection.ReadPartitions(r.Topic)
	return object{"partitions": len(partitions)}, err
}

func (s segmentio) describeConfigs(ctx context.Context, r request) (any, error) {
	resource := kafka.DescribeConfigRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: r.Topic}
	answer, err := s.client.DescribeConfigs(ctx, &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{resource},
	})
	if err != nil {
		return nil, err
	}
	configs := object{}
	for _, entry := range answer.Resources[0].ConfigEntries {
		configs[entry.ConfigName] = entry.ConfigValue
	}
	return configs, answer.Resources[0].Error
}

func (s segmentio) alterConfig(ctx context.Context, r request) (any, error) {
	config := kafka.IncrementalAlterConfigsRequestConfig{Name: r.Name, Value: r.Value, ConfigOperation: kafka.ConfigOperationSet}
	answer, err := s.client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{
		Resources: []kafka.IncrementalAlterConfigsRequestResource{{
			ResourceType: kafka.ResourceTypeTopic,
			ResourceName: r.Topic,
			Configs:      []kafka.IncrementalAlterConfigsRequestConfig{config},
		}},
	})
	if err != nil {
		return nil, err
	}
	return object{}, answer.Resources[0].Error
}

func (s segmentio) deleteTopic(ctx context.Context, r request) (any, error) {
	answer, err := s.client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: []string{r.Topic}})
	if err != nil {
		return nil, err
	}
	return object{}, answer.Errors[r.Topic]
}

func (s segmentio) describeCluster(ctx context.Context, _ request) (any, error) {
	answer, err := s.client.Metadata(ctx, &kafka.MetadataRequest{})
	if err != nil {
		return nil, err
	}
	nodes := []int{}
	for _, broker := range answer.Brokers {
		nodes = append(nodes, broker.ID)
	}
	return object{"cluster": answer.ClusterID, "nodes": nodes, "controller": answer.Controller.ID}, nil
}
