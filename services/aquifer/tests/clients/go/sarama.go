package main

import (
	"context"
	"errors"
	"time"

	"github.com/IBM/sarama"
)

type saramas struct{ bootstrap []string }

func saramaClient(bootstrap string) client {
	s := saramas{[]string{bootstrap}}
	admin := func(use func(sarama.ClusterAdmin, request) (any, error)) func(context.Context, request) (any, error) {
		return func(_ context.Context, r request) (any, error) {
			admin, err := sarama.NewClusterAdmin(s.bootstrap, s.config())
			if err != nil {
				return nil, err
			}
			defer admin.Close()
			return use(admin, r)
		}
	}
	return client{
		module: "github.com/IBM/sarama",
		operations: operations{
			"produce":           s.produce,
			"transaction":       s.transaction,
			"read":              s.read,
			"ends":              s.ends,
			"offset_for_time":   s.offsetForTime,
			"create_topic":      admin(saramaCreateTopic),
			"create_partitions": admin(saramaCreatePartitions),
			"partitions":        admin(saramaPartitions),
			"describe_configs":  admin(saramaDescribeConfigs),
			"alter_config":      admin(saramaAlterConfig),
			"delete_records":    admin(saramaDeleteRecords),
			"delete_topic":      admin(saramaDeleteTopic),
			"describe_cluster":  s.describeCluster,
		},
		join: s.join,
		code: func(err error) (int, bool) {
			var code sarama.KError
			if errors.As(err, &code) && code > 0 {
				return int(code), true
			}
			return 0, false
		},
	}
}

func (s saramas) config() *sarama.Config {
	config := sarama.NewConfig()
	config.Version = sarama.MaxVersion
	config.Metadata.Retry.Max = 1
	config.Metadata.AllowAutoTopicCreation = false
	config.Admin.Retry.Max = 1
	config.Consumer.MaxWaitTime = 200 * time.Millisecond
	config.Consumer.Return.Errors = true
	return config
}

var saramaCodecs = map[string]sarama.CompressionCodec{
	"":       sarama.CompressionNone,
	"none":   sarama.CompressionNone,
	"gzip":   sarama.CompressionGZIP,
	"snappy": sarama.CompressionSnappy,
	"lz4":    sarama.CompressionLZ4,
	"zstd":   sarama.CompressionZSTD,
}

func (s saramas) produce(_ context.Context, r request) (any, error) {
	config := s.config()
	config.Metadata.AllowAutoTopicCreation = true
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Compression = saramaCodecs[r.Codec]
	config.Producer.MaxMessageBytes = 10_000_000
	config.Producer.Idempotent = r.Idempotent
	if r.Idempotent {
		config.Net.MaxOpenRequests = 1
	}
	if r.BatchBytes > 0 {
		config.Producer.Flush.MaxMessages = 10
	}
	producer, err := sarama.NewSyncProducer(s.bootstrap, config)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	messages := make([]*sarama.ProducerMessage, len(r.Records))
	for at, one := range r.Records {
		message := &sarama.ProducerMessage{Topic: r.Topic, Partition: r.Partition}
		if one.Key != nil {
			message.Key = sarama.StringEncoder(*one.Key)
		}
		if one.Value != nil {
			message.Value = sarama.StringEncoder(*one.Value)
		}
		if one.Timestamp != nil {
			message.Timestamp = time.UnixMilli(*one.Timestamp)
		}
		for _, header := range one.Headers {
			message.Headers = append(message.Headers, sarama.RecordHeader{Key: bytesOf(header[0]), Value: bytesOf(header[1])})
		}
		messages[at] = message
	}
	if err := producer.SendMessages(messages); err != nil {
		var failures sarama.ProducerErrors
		if errors.As(err, &failures) {
			return nil, failures[0].Err
		}
		return nil, err
	}
	offsets := []int64{}
	for _, message := range messages {
		offsets = append(offsets, message.Offset)
	}
	return object{"offsets": offsets}, nil
}

func (s saramas) transaction(_ context.Context, r request) (any, error) {
	config := s.config()
	config.Producer.Return.Successes = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Producer.Transaction.ID = r.ID
	config.Producer.Transaction.Retry.Max = 1
	producer, err := sarama.NewSyncProducer(s.bootstrap, config)
	if err != nil {
		return nil, err
	}
	defer producer.Close()
	return object{}, producer.BeginTxn()
}

func (s saramas) read(_ context.Context, r request) (any, error) {
	config := s.config()
	config.Consumer.Fetch.Default = 50 << 20
	consumer, err := sarama.NewConsumer(s.bootstrap, config)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	partition, err := consumer.ConsumePartition(r.Topic, r.Partition, r.From)
	if errors.Is(err, sarama.ErrOffsetOutOfRange) && r.Reset != "" && r.Reset != "none" {
		return nil, absent("sarama's partition consumer resets no offsets")
	}
	if err != nil {
		return nil, err
	}
	defer partition.Close()
	records, timeout := []record{}, time.After(time.Duration(r.TimeoutMs)*time.Millisecond)
	for len(records) < r.Count {
		select {
		case one := <-partition.Messages():
			timestamp, headers := one.Timestamp.UnixMilli(), [][2]*string{}
			for _, header := range one.Headers {
				headers = append(headers, [2]*string{textOf(header.Key), textOf(header.Value)})
			}
			records = append(records, record{one.Offset, &timestamp, textOf(one.Key), textOf(one.Value), headers})
		case failure := <-partition.Errors():
			return nil, failure.Err
		case <-timeout:
			return object{"records": records}, nil
		}
	}
	return object{"records": records}, nil
}

// Sets up and reads what the group gives to a member.
type saramaHandler struct {
	topic  string
	member *member
}

func (h saramaHandler) Setup(session sarama.ConsumerGroupSession) error {
	h.member.assigned(session.Claims()[h.topic])
	return nil
}

func (h saramaHandler) Cleanup(session sarama.ConsumerGroupSession) error {
	h.member.revoked(session.Claims()[h.topic])
	return nil
}

func (h saramaHandler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for {
		select {
		case one, open := <-claim.Messages():
			if !open {
				return nil
			}
			session.MarkMessage(one, "")
			session.Commit()
			h.member.committed(one.Partition, one.Offset)
		case <-session.Context().Done():
			return nil
		}
	}
}

func (s saramas) join(r request, joining *member) error {
	if r.Protocol == "consumer" {
		return absent("sarama has the classic protocol only")
	}
	config := s.config()
	config.Consumer.Offsets.Initial = sarama.OffsetOldest
	config.Consumer.Offsets.AutoCommit.Enable = false
	config.Consumer.Group.Session.Timeout = 10 * time.Second
	config.Consumer.Group.Heartbeat.Interval = 500 * time.Millisecond
	config.Consumer.Group.InstanceId = r.Instance
	group, err := sarama.NewConsumerGroup(s.bootstrap, r.Group, config)
	if err != nil {
		return err
	}
	go func() {
		for failure := range group.Errors() {
			joining.failed(failure)
		}
	}()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			if err := group.Consume(ctx, []string{r.Topic}, saramaHandler{r.Topic, joining}); err != nil {
				joining.failed(err)
				time.Sleep(100 * time.Millisecond)
			}
		}
	}()
	joining.close = func() error {
		cancel()
		<-ended
		return group.Close()
	}
	return nil
}

func (s saramas) offset(r request, times ...int64) ([]int64, error) {
	client, err := sarama.NewClient(s.bootstrap, s.config())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	offsets := []int64{}
	for _, at := range times {
		offset, err := client.GetOffset(r.Topic, r.Partition, at)
		if err != nil {
			return nil, err
		}
		offsets = append(offsets, offset)
	}
	return offsets, nil
}

func (s saramas) ends(_ context.Context, r request) (any, error) {
	offsets, err := s.offset(r, sarama.OffsetOldest, sarama.OffsetNewest)
	if err != nil {
		return nil, err
	}
	return object{"beginning": offsets[0], "end": offsets[1]}, nil
}

func (s saramas) offsetForTime(_ context.Context, r request) (any, error) {
	offsets, err := s.offset(r, r.Timestamp)
	if err != nil {
		return nil, err
	}
	if offsets[0] < 0 {
		return object{"offset": nil}, nil
	}
	return object{"offset": offsets[0]}, nil
}

func (s saramas) describeCluster(context.Context, request) (any, error) {
	client, err := sarama.NewClient(s.bootstrap, s.config())
	if err != nil {
		return nil, err
	}
	defer client.Close()
	controller, err := client.Controller()
	if err != nil {
		return nil, err
	}
	// The admin client does not tell the cluster's id.
	metadata, err := controller.GetMetadata(sarama.NewMetadataRequest(sarama.MaxVersion, nil))
	if err != nil {
		return nil, err
	}
	nodes := []int32{}
	for _, broker := range metadata.Brokers {
		nodes = append(nodes, broker.ID())
	}
	return object{"cluster": metadata.ClusterID, "nodes": nodes, "controller": metadata.ControllerID}, nil
}

func saramaCreateTopic(admin sarama.ClusterAdmin, r request) (any, error) {
	configs := map[string]*string{}
	for name, value := range r.Configs {
		configs[name] = &value
	}
	detail := &sarama.TopicDetail{NumPartitions: max(r.Partitions, 1), ReplicationFactor: 1, ConfigEntries: configs}
	return object{}, admin.CreateTopic(r.Topic, detail, false)
}

func saramaCreatePartitions(admin sarama.ClusterAdmin, r request) (any, error) {
	return object{}, admin.CreatePartitions(r.Topic, r.Partitions, nil, false)
}

func saramaPartitions(admin sarama.ClusterAdmin, r request) (any, error) {
	described, err := admin.DescribeTopics([]string{r.Topic})
	if err != nil {
		return nil, err
	}
	if described[0].Err != sarama.ErrNoError {
		return nil, described[0].Err
	}
	return object{"partitions": len(described[0].Partitions)}, nil
}

func saramaDescribeConfigs(admin sarama.ClusterAdmin, r request) (any, error) {
	entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: r.Topic})
	configs := object{}
	for _, entry := range entries {
		configs[entry.Name] = entry.Value
	}
	return configs, err
}

func saramaAlterConfig(admin sarama.ClusterAdmin, r request) (any, error) {
	entry := sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &r.Value}
	entries := map[string]sarama.IncrementalAlterConfigsEntry{r.Name: entry}
	return object{}, admin.IncrementalAlterConfig(sarama.TopicResource, r.Topic, entries, false)
}

func saramaDeleteRecords(admin sarama.ClusterAdmin, r request) (any, error) {
	return object{}, admin.DeleteRecords(r.Topic, map[int32]int64{r.Partition: r.Before})
}

func saramaDeleteTopic(admin sarama.ClusterAdmin, r request) (any, error) {
	return object{}, admin.DeleteTopic(r.Topic)
}
