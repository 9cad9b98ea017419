package main

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

type franz struct{ bootstrap string }

func franzGo(bootstrap string) client {
	franz := franz{bootstrap}
	admin := func(use func(context.Context, *kadm.Client, request) (any, error)) func(context.Context, request) (any, error) {
		return func(ctx context.Context, r request) (any, error) {
			client, err := franz.client()
			if err != nil {
				return nil, err
			}
			defer client.Close()
			return use(ctx, kadm.NewClient(client), r)
		}
	}
	return client{
		module: "github.com/twmb/franz-go",
		operations: operations{
			"produce":           franz.produce,
			"transaction":       franz.transaction,
			"read":              franz.read,
			"ends":              admin(franzEnds),
			"offset_for_time":   admin(franzOffsetForTime),
			"create_topic":      admin(franzCreateTopic),
			"create_partitions": admin(franzCreatePartitions),
			"partitions":        admin(franzPartitions),
			"describe_configs":  admin(franzDescribeConfigs),
			"alter_config":      admin(franzAlterConfig),
			"delete_records":    admin(franzDeleteRecords),
			"delete_topic":      admin(franzDeleteTopic),
			"describe_cluster":  admin(franzDescribeCluster),
		},
		join: franz.join,
		code: func(err error) (int, bool) {
			var told *kerr.Error
			if errors.As(err, &told) {
				return int(told.Code), true
			}
			return 0, false
		},
	}
}

func (f franz) client(more ...kgo.Opt) (*kgo.Client, error) {
	settings := []kgo.Opt{kgo.SeedBrokers(f.bootstrap), kgo.RetryTimeout(5 * time.Second)}
	return kgo.NewClient(append(settings, more...)...)
}

var franzCodecs = map[string]kgo.CompressionCodec{
	"":       kgo.NoCompression(),
	"none":   kgo.NoCompression(),
	"gzip":   kgo.GzipCompression(),
	"snappy": kgo.SnappyCompression(),
	"lz4":    kgo.Lz4Compression(),
	"zstd":   kgo.ZstdCompression(),
}

func (f franz) produce(ctx context.Context, r request) (any, error) {
	batch := int32(10_000_000)
	if r.BatchBytes > 0 {
		batch = int32(r.BatchBytes)
	}
	settings := []kgo.Opt{
		kgo.ProducerBatchCompression(franzCodecs[r.Codec]),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(batch),
		kgo.UnknownTopicRetries(1),
		kgo.AllowAutoTopicCreation(),
	}
	if !r.Idempotent {
		settings = append(settings, kgo.DisableIdempotentWrite())
	}
	client, err := f.client(settings...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	records := make([]*kgo.Record, len(r.Records))
	for at, one := range r.Records {
		record := &kgo.Record{Topic: r.Topic, Partition: r.Partition, Key: bytesOf(one.Key), Value: bytesOf(one.Value)}
		if one.Timestamp != nil {
			record.Timestamp = time.UnixMilli(*one.Timestamp)
		}
		for _, header := range one.Headers {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: *header[0], Value: bytesOf(header[1])})
		}
		records[at] = record
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return nil, err
	}
	offsets := []int64{}
	for _, record := range records {
		offsets = append(offsets, record.Offset)
	}
	return object{"offsets": offsets}, nil
}

func (f franz) transaction(ctx context.Context, r request) (any, error) {
	client, err := f.client(kgo.TransactionalID(r.ID))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	_, _, err = client.ProducerID(ctx)
	return object{}, err
}

func (f franz) read(ctx context.Context, r request) (any, error) {
	resets := map[string]kgo.Offset{
		"":         kgo.NoResetOffset(),
		"none":     kgo.NoResetOffset(),
		"earliest": kgo.NewOffset().AtStart(),
		"latest":   kgo.NewOffset().AtEnd(),
	}
	from := map[string]map[int32]kgo.Offset{r.Topic: {r.Partition: kgo.NewOffset().At(r.From)}}
	client, err := f.client(
		kgo.ConsumePartitions(from),
		kgo.ConsumeResetOffset(resets[r.Reset]),
		kgo.FetchMaxWait(200*time.Millisecond),
		kgo.FetchMaxPartitionBytes(50<<20),
	)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(r.TimeoutMs)*time.Millisecond)
	defer cancel()
	records := []record{}
	for len(records) < r.Count {
		fetches := client.PollRecords(ctx, r.Count-len(records))
		if ctx.Err() != nil {
			break
		}
		for _, failure := range fetches.Errors() {
			return nil, failure.Err
		}
		fetches.EachRecord(func(one *kgo.Record) {
			timestamp, headers := one.Timestamp.UnixMilli(), [][2]*string{}
			for _, header := range one.Headers {
				headers = append(headers, [2]*string{&header.Key, textOf(header.Value)})
			}
			records = append(records, record{one.Offset, &timestamp, textOf(one.Key), textOf(one.Value), headers})
		})
	}
	return object{"records": records}, nil
}

func (f franz) join(r request, joining *member) error {
	lost := func(_ context.Context, _ *kgo.Client, gone map[string][]int32) { joining.revoked(gone[r.Topic]) }
	settings := []kgo.Opt{
		kgo.ConsumerGroup(r.Group),
		kgo.ConsumeTopics(r.Topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.DisableAutoCommit(),
		kgo.BlockRebalanceOnPoll(),
		kgo.SessionTimeout(10 * time.Second),
		kgo.HeartbeatInterval(500 * time.Millisecond),
		kgo.FetchMaxWait(200 * time.Millisecond),
		kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, told map[string][]int32) {
			joining.assigned(told[r.Topic])
		}),
		kgo.OnPartitionsRevoked(lost),
		kgo.OnPartitionsLost(lost),
	}
	if r.Protocol == "consumer" {
		settings = append(settings, kgo.ServerSideBalancer())
	}
	if r.Instance != "" {
		settings = append(settings, kgo.InstanceID(r.Instance))
	}
	client, err := f.client(settings...)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			fetches := client.PollFetches(ctx)
			records := fetches.Records()
			if len(records) > 0 {
				if err := client.CommitRecords(context.Background(), records...); err != nil {
					joining.failed(err)
				} else {
					for _, one := range records {
						joining.committed(one.Partition, one.Offset)
					}
				}
			}
			client.AllowRebalance()
		}
	}()
	joining.close = func() error {
		cancel()
		<-ended
		client.CloseAllowingRebalance()
		return nil
	}
	return nil
}

func franzEnds(ctx context.Context, admin *kadm.Client, r request) (any, error) {
	starts, err := admin.ListStartOffsets(ctx, r.Topic)
	if err != nil {
		return nil, err
	}
	ends, err := admin.ListEndOffsets(ctx, r.Topic)
	if err != nil {
		return nil, err
	}
	start, _ := starts.Lookup(r.Topic, r.Partition)
	end, _ := ends.Lookup(r.Topic, r.Partition)
	return object{"beginning": start.Offset, "end": end.Offset}, errors.Join(start.Err, end.Err)
}

func franzOffsetForTime(ctx context.Context, admin *kadm.Client, r request) (any, error) {
	listed, err := admin.ListOffsetsAfterMilli(ctx, r.Timestamp, r.Topic)
	if err != nil {
		return nil, err
	}
	found, _ := listed.Lookup(r.Topic, r.Partition)
	return object{"offset": found.Offset}, found.Err
}

func franzCreateTopic(ctx context.Context, admin *kadm.Client, r request) (any, error) {
	configs := map[string]*string{}
	for name, value := range r.Configs {
		configs[name] = &value
	}
	_, err := admin.CreateTopic(ctx, max(r.Partitions, 1), 1, configs, r.Topic)
	return object{}, err
}

func franzCreatePartitions(ctx context.Context, admin *kadm.Client, r request) (any, error) {
	answers, err := admin.UpdatePartitions(ctx, int(r.Partitions), r.Topic)
	if err != nil {
		return nil, err
	}
	return object{}, answers.Error()
}

func franzPartitions(ctx context.Context, admin *kadm.Client, r request) (any, error) {
	metadata, err := admin.Metadata(ctx, r.Topic)
	if err != nil {
		return nil, err
	}
	topic := metadata.Topics[r.Topic]
	return object{"partitions": len(topic.Partitions)}, topic.Err
}

func franzDescribeConfigs(ctx context.Context, admin *kadm.Client, r request) (any, error) {
	described, err := admin.DescribeTopicConfigs(ctx, r.Topic)
	if err != nil {
		return nil, err
	}
	configs := object{}
	for _, config := range described[0].Configs {
		configs[config.Key] = config.Value
	}
	return configs, described[0].Err
}

func franzAlterConfig(ctx context.Context, admin *kadm.Client, r request) (any, error) {
	change := kadm.AlterConfig{Op: kadm.SetConfig, Name: r.Name, Value: &r.Value}
	altered, err := admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{change}, r.Topic)
	if err != nil {
		return nil, err
	}
	return object{}, altered[0].Err
}

func franzDeleteRecords(ctx context.Context, admin *kadm.Client, r request) (any, error) {
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: r.Topic, Partition: r.Partition, At: r.Before})
	deleted, err := admin.DeleteRecords(ctx, offsets)
	if err != nil {
		return nil, err
	}
	return object{}, deleted.Error()
}

func franzDeleteTopic(ctx context.Context, admin *kadm.Client, r request) (any, error) {
	_, err := admin.DeleteTopic(ctx, r.Topic)
	return object{}, err
}

func franzDescribeCluster(ctx context.Context, admin *kadm.Client, _ request) (any, error) {
	metadata, err := admin.BrokerMetadata(ctx)
	return object{"cluster": metadata.Cluster, "nodes": metadata.Brokers.NodeIDs(), "controller": metadata.Controller}, err
}
