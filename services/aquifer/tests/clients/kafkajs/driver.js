// kafkajs as ../README.md asks for it.

const { randomUUID } = require('node:crypto')
const readline = require('node:readline')
const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = require('kafkajs')

CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy')

const kafka = new Kafka({
  brokers: [process.argv[2]],
  logLevel: logLevel.NOTHING,
  requestTimeout: 10000,
  retry: { retries: 2, initialRetryTime: 100 },
})
const admin = kafka.admin()
const members = new Map()

// A coordinator may still be loading.
const patient = { maxWaitTimeInMs: 200, retry: { retries: 10, initialRetryTime: 100 } }

class Absent extends Error {}

const codecs = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy }

async function withProducer(settings, use) {
  const producer = kafka.producer({ allowAutoTopicCreation: true, ...settings })
  await producer.connect()
  try {
    return await use(producer)
  } finally {
    await producer.disconnect()
  }
}

const message = (partition) => (record) => ({
  partition,
  key: record.key ?? null,
  value: record.value ?? null,
  headers: Object.fromEntries(record.headers ?? []),
  ...(record.timestamp === undefined ? {} : { timestamp: String(record.timestamp) }),
})

// A consumer in a group, which reads and commits by itself.
async function join({ member, group, topic, protocol, instance }) {
  if (protocol === 'consumer') throw new Absent('kafkajs has the classic protocol only')
  if (instance !== undefined) throw new Absent('kafkajs has no static members')
  const joining = { partitions: [], assignments: 0, records: [] }
  joining.consumer = kafka.consumer({
    ...patient,
    groupId: group,
    sessionTimeout: 10000,
    heartbeatInterval: 500,
  })
  joining.consumer.on(joining.consumer.events.GROUP_JOIN, ({ payload }) => {
    joining.assignments += 1
    joining.partitions = (payload.memberAssignment[topic] ?? []).sort((a, b) => a - b)
  })
  joining.consumer.on(joining.consumer.events.CRASH, ({ payload }) => (joining.failure = String(payload.error)))
  await joining.consumer.connect()
  await joining.consumer.subscribe({ topics: [topic], fromBeginning: true })
  await joining.consumer.run({
    autoCommit: false,
    async eachMessage({ topic, partition, message }) {
      const next = String(Number(message.offset) + 1)
      await joining.consumer.commitOffsets([{ topic, partition, offset: next }])
      joining.records.push([partition, Number(message.offset)])
    },
  })
  members.set(member, joining)
  return {}
}

const text = (data) => (data === null || data === undefined ? null : data.toString())

const record = ({ offset, timestamp, key, value, headers }) => ({
  offset: Number(offset),
  timestamp: Number(timestamp),
  key: text(key),
  value: text(value),
  headers: Object.entries(headers ?? {}).flatMap(([name, values]) => [values].flat().map((one) => [name, text(one)])),
})

const operations = {
  async version() {
    return { version: require('kafkajs/package.json').version }
  },
  async produce({ topic, partition = 0, codec = 'none', idempotent = false, batch_bytes, records }) {
    if (!(codec in codecs)) throw new Absent(`${codec} is not part of kafkajs`)
    const settings = idempotent ? { idempotent, maxInFlightRequests: 1 } : {}
    return withProducer(settings, async (producer) => {
      // A send is a batch per partition.
      const most = batch_bytes === undefined ? records.length : 10
      const offsets = []
      for (let at = 0; at < records.length; at += most) {
        const messages = records.slice(at, at + most).map(message(partition))
        const [{ baseOffset }] = await producer.send({ topic, acks: -1, compression: codecs[codec], messages })
        messages.forEach((_, index) => offsets.push(Number(baseOffset) + index))
      }
      return { offsets }
    })
  },
  async transaction({ id }) {
    const settings = { transactionalId: id, idempotent: true, maxInFlightRequests: 1 }
    return withProducer(settings, async (producer) => {
      await producer.transaction()
      return {}
    })
  },
  async read({ topic, partition = 0, from, count, reset = 'none', timeout_ms }) {
    if (reset === 'none' && from > (await operations.ends({ topic, partition })).end) {
      throw new Absent('kafkajs always resets')
    }
    // Reading from an offset is a group of one, too.
    const reader = kafka.consumer({ ...patient, groupId: randomUUID(), maxBytesPerPartition: 50 << 20 })
    const records = []
    await reader.connect()
    try {
      await reader.subscribe({ topics: [topic], fromBeginning: reset !== 'latest' })
      await new Promise((resolve, reject) => {
        setTimeout(resolve, timeout_ms).unref()
        reader.on(reader.events.CRASH, ({ payload: { error, restart } }) => {
          if (restart) return
          const unknown = error.name === 'KafkaJSNotImplemented'
          reject(unknown ? new Absent(`${error.message} in kafkajs`) : error)
        })
        const eachMessage = async ({ partition: of, message }) => {
          if (of !== partition || records.length === count) return
          records.push(record(message))
          if (records.length === count) resolve()
        }
        reader.run({ autoCommit: false, eachMessage }).catch(reject)
        reader.seek({ topic, partition, offset: String(from) })
      })
    } finally {
      await reader.disconnect()
    }
    return { records }
  },
  join,
  async poll({ member }) {
    const { partitions, assignments, records, failure } = members.get(member)
    members.get(member).records = []
    return { partitions, assignments, records, failure }
  },
  async leave({ member }) {
    const { consumer } = members.get(member)
    members.delete(member)
    await consumer.disconnect()
    return {}
  },
  async ends({ topic, partition = 0 }) {
    const found = (await admin.fetchTopicOffsets(topic)).find((one) => one.partition === partition)
    return { beginning: Number(found.low), end: Number(found.high) }
  },
  async offset_for_time({ topic, partition = 0, timestamp }) {
    const found = await admin.fetchTopicOffsetsByTimestamp(topic, timestamp)
    return { offset: Number(found.find((one) => one.partition === partition).offset) }
  },
  async create_topic({ topic, partitions = 1, configs = {} }) {
    const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
    const topics = [{ topic, numPartitions: partitions, replicationFactor: 1, configEntries }]
    // False says that it was there already.
    if (!(await admin.createTopics({ topics, waitForLeaders: true }))) {
      throw Object.assign(new Error('the topic exists'), { code: 36 })
    }
    return {}
  },
  async create_partitions({ topic, partitions }) {
    await admin.createPartitions({ topicPartitions: [{ topic, count: partitions }] })
    return {}
  },
  async partitions({ topic }) {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return { partitions: topics[0].partitions.length }
  },
  async describe_configs({ topic }) {
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic }]
    const [described] = (await admin.describeConfigs({ resources })).resources
    return Object.fromEntries(described.configEntries.map((entry) => [entry.configName, entry.configValue]))
  },
  async alter_config({ topic, name, value }) {
    const resources = [{ type: ConfigResourceTypes.TOPIC, name: topic, configEntries: [{ name, value }] }]
    await admin.alterConfigs({ resources })
    return {}
  },
  async delete_records({ topic, partition = 0, before }) {
    // It deletes only where the admin client has seen the topic's leaders, and does not ask for them by itself.
    await admin.fetchTopicOffsets(topic)
    await admin.deleteTopicRecords({ topic, partitions: [{ partition, offset: String(before) }] })
    return {}
  },
  async delete_topic({ topic }) {
    await admin.deleteTopics({ topics: [topic] })
    return {}
  },
  async describe_cluster() {
    const { brokers, controller, clusterId } = await admin.describeCluster()
    return { cluster: clusterId, nodes: brokers.map((broker) => broker.nodeId), controller }
  },
}

// kafkajs wraps what the broker said in what it did about it.
function codeOf(error) {
  for (let cause = error; cause; cause = cause.cause ?? cause.errors?.[0] ?? cause.originalError) {
    if (Number.isInteger(cause.code)) return cause.code
  }
  return null
}

async function answer(request) {
  try {
    return { ok: await operations[request.op](request) }
  } catch (error) {
    if (error instanceof Absent) return { absent: error.message }
    return { error: { code: codeOf(error), message: String(error.message) } }
  }
}

async function main() {
  await admin.connect()
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`)
  }
  process.exit(0)
}

main()
