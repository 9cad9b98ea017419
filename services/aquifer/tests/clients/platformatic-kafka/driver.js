// @platformatic/kafka as ../README.md asks for it.

import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import readline from 'node:readline'
import {
  Admin,
  ConfigResourceTypes,
  Consumer,
  IncrementalAlterConfigOperationTypes,
  ListOffsetTimestamps,
  Producer,
} from '@platformatic/kafka'

// Patient enough for a coordinator that is still loading.
const common = { clientId: 'driver', bootstrapBrokers: [process.argv[2]], retries: 10, retryDelay: 100, timeout: 10000 }
const admin = new Admin(common)
const members = new Map()

const bytes = (text) => (text == null ? undefined : Buffer.from(text))
const text = (data) => (data == null ? null : data.toString())

async function withClient(client, use) {
  try {
    return await use(client)
  } finally {
    await client.close(true)
  }
}

const consumer = (more) =>
  new Consumer({ ...common, autocommit: false, maxWaitTime: 200, sessionTimeout: 10000, heartbeatInterval: 500, ...more })

// A consumer in a group, which reads and commits by itself.
async function join({ member, group, topic, protocol, instance }) {
  const joining = { assignments: 0, records: [] }
  const static_ = instance === undefined ? {} : { groupInstanceId: instance }
  const classic = { sessionTimeout: 10000, rebalanceTimeout: 20000, heartbeatInterval: 500 }
  const kind = protocol === 'consumer' ? { groupProtocol: 'consumer' } : classic
  joining.consumer = new Consumer({ ...common, groupId: group, autocommit: false, maxWaitTime: 200, ...kind, ...static_ })
  joining.consumer.on('consumer:group:join', () => (joining.assignments += 1))
  const stream = await joining.consumer.consume({ topics: [topic], mode: 'committed', fallbackMode: 'earliest' })
  joining.running = (async () => {
    for await (const message of stream) {
      await message.commit()
      joining.records.push([message.partition, Number(message.offset)])
    }
  })()
  joining.running.catch((error) => (joining.failure = String(error.message)))
  members.set(member, joining)
  return {}
}

const operations = {
  async version() {
    const description = new URL('./node_modules/@platformatic/kafka/package.json', import.meta.url)
    return { version: JSON.parse(readFileSync(description)).version }
  },
  async produce({ topic, partition = 0, codec = 'none', idempotent = false, batch_bytes, records }) {
    const producer = new Producer({ ...common, autocreateTopics: true })
    return withClient(producer, async () => {
      // A send is a batch per partition.
      const most = batch_bytes === undefined ? records.length : 10
      const offsets = []
      for (let at = 0; at < records.length; at += most) {
        const messages = records.slice(at, at + most).map((record) => ({
          topic,
          partition,
          key: bytes(record.key),
          value: bytes(record.value),
          headers: new Map((record.headers ?? []).map(([name, value]) => [bytes(name), bytes(value)])),
          ...(record.timestamp === undefined ? {} : { timestamp: BigInt(record.timestamp) }),
        }))
        const sent = await producer.send({ messages, acks: -1, compression: codec, idempotent })
        const first = Number(sent.offsets[0].offset)
        messages.forEach((_, index) => offsets.push(first + index))
      }
      return { offsets }
    })
  },
  async transaction({ id }) {
    const producer = new Producer({ ...common, transactionalId: id, idempotent: true })
    return withClient(producer, async () => {
      await producer.beginTransaction()
      return {}
    })
  },
  async read({ topic, partition = 0, from, count, reset = 'none', timeout_ms }) {
    // Reading from an offset is a group of one, too.
    return withClient(consumer({ groupId: randomUUID() }), async (reader) => {
      const fallbackMode = reset === 'none' ? 'fail' : reset
      const offsets = [{ topic, partition, offset: BigInt(from) }]
      const stream = await reader.consume({ topics: [topic], mode: 'manual', fallbackMode, offsets, maxBytes: 50 << 20 })
      const timer = setTimeout(() => stream.close(), timeout_ms)
      const records = []
      for await (const message of stream) {
        if (message.partition !== partition) continue
        records.push({
          offset: Number(message.offset),
          timestamp: Number(message.timestamp),
          key: text(message.key),
          value: text(message.value),
          headers: message.headerEntries.map(([name, value]) => [text(name), text(value)]),
        })
        if (records.length === count) break
      }
      clearTimeout(timer)
      return { records }
    })
  },
  async ends({ topic, partition = 0 }) {
    const at = async (timestamp) => Number(await offset(topic, partition, timestamp))
    return { beginning: await at(ListOffsetTimestamps.EARLIEST), end: await at(ListOffsetTimestamps.LATEST) }
  },
  async offset_for_time({ topic, partition = 0, timestamp }) {
    const found = Number(await offset(topic, partition, BigInt(timestamp)))
    return { offset: found < 0 ? null : found }
  },
  join,
  async poll({ member }) {
    const { consumer, assignments, records, failure } = members.get(member)
    members.get(member).records = []
    const partitions = (consumer.assignments ?? []).flatMap((one) => one.partitions)
    return { partitions, assignments, records, failure }
  },
  async leave({ member }) {
    const leaving = members.get(member)
    members.delete(member)
    await leaving.consumer.close(true)
    return {}
  },
  async create_topic({ topic, partitions = 1, configs = {} }) {
    const entries = Object.entries(configs).map(([name, value]) => ({ name, value }))
    await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs: entries })
    return {}
  },
  async create_partitions({ topic, partitions }) {
    await admin.createPartitions({ topics: [{ name: topic, count: partitions, assignments: null }] })
    return {}
  },
  async partitions({ topic }) {
    const metadata = await admin.metadata({ topics: [topic], forceUpdate: true })
    return { partitions: metadata.topics.get(topic).partitionsCount }
  },
  async describe_configs({ topic }) {
    const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configurationKeys: null }]
    const [{ configs }] = await admin.describeConfigs({ resources })
    return Object.fromEntries(configs.map(({ name, value }) => [name, value]))
  },
  async alter_config({ topic, name, value }) {
    const configs = [{ name, value, configOperation: IncrementalAlterConfigOperationTypes.SET }]
    const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configs }]
    await admin.incrementalAlterConfigs({ resources })
    return {}
  },
  async delete_records({ topic, partition = 0, before }) {
    await admin.deleteRecords({ topics: [{ name: topic, partitions: [{ partition, offset: BigInt(before) }] }] })
    return {}
  },
  async delete_topic({ topic }) {
    await admin.deleteTopics({ topics: [topic] })
    return {}
  },
  async describe_cluster() {
    const { id, brokers, controllerId } = await admin.metadata({ topics: [], forceUpdate: true })
    return { cluster: id, nodes: [...brokers.keys()], controller: controllerId }
  },
}

async function offset(topic, partition, timestamp) {
  const [{ partitions }] = await admin.listOffsets({
    topics: [{ name: topic, partitions: [{ partitionIndex: partition, timestamp }] }],
  })
  return partitions[0].offset
}

// What the broker said is wrapped in what the client did about it.
function codeOf(error) {
  if (error === undefined || error === null) return null
  if (Number.isInteger(error.apiCode) && error.apiCode > 0) return error.apiCode
  // Of the broker's code for this it tells words only.
  if (String(error.message).startsWith('Unknown topic ')) return 3
  for (const inner of [error.cause, ...(error.errors ?? [])]) {
    const code = codeOf(inner)
    if (code !== null) return code
  }
  return null
}

async function answer(request) {
  try {
    return { ok: await operations[request.op](request) }
  } catch (error) {
    return { error: { code: codeOf(error), message: String(error.message) } }
  }
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`)
}
process.exit(0)
