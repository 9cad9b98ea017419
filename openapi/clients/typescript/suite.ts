/** One round trip through every part of a gateway, with the client that is generated for TypeScript. */

import * as aquifer from './client/index.js';

declare const process: { argv: string[] };

const configuration = new aquifer.Configuration({ basePath: process.argv[2] });
const topics = new aquifer.TopicsApi(configuration);
const records = new aquifer.RecordsApi(configuration);
const sessions = new aquifer.SessionsApi(configuration);
const groups = new aquifer.GroupsApi(configuration);

function equal(found: unknown, wanted: unknown): void {
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    throw new Error(`${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
  }
}

/** The problem that a request is refused with. */
async function refused(status: number, code: string, request: Promise<unknown>): Promise<aquifer.Problem> {
  try {
    await request;
  } catch (refusal) {
    if (!(refusal instanceof aquifer.ResponseError)) throw refusal;
    equal(refusal.response.status, status);
    const problem = aquifer.ProblemFromJSON(await refusal.response.json());
    equal(problem.code, code);
    equal(problem.hint.length > 0, true);
    return problem;
  }
  throw new Error(`not refused with ${code}`);
}

function offsets(from: aquifer.ModelRecord[]): string[] {
  return from.map((record) => record.offset);
}

async function topic(): Promise<void> {
  const made = await topics.createTopic({
    topic: 'orders',
    createTopicRequest: { partitions: 1, configs: { 'retention.ms': '3600000' } },
  });
  equal([made.name, made.partitions.length], ['orders', 1]);
  await topics.createTopic({ topic: 'orders', createTopicRequest: { partitions: 1 } });
  equal((await topics.listTopics()).items.some((topic) => topic.name === 'orders'), true);
  const { configs } = await topics.getTopic({ topic: 'orders' });
  equal(configs?.find((config) => config.name === 'retention.ms')?.value, '3600000');
}

async function produce(): Promise<void> {
  const written = await records.produceRecords({
    topic: 'orders',
    produceRequest: {
      records: [
        {
          keyText: 'k',
          headers: [{ name: 'origin', valueText: 'suite' }],
          valueJson: { amount: 3, paid: true, lines: ['a'] },
        },
        { valueText: 'grüße' },
        { valueBase64: 'AP8=' },
        { keyText: 'k', tombstone: true },
      ],
    },
  });
  equal([written.failed, written.results.map((result) => result.offset)], [0, ['0', '1', '2', '3']]);
  const raw = await records.produceRaw({ topic: 'orders', key: 'r', body: new Blob(['raw \0']) });
  equal(raw.results[0]?.offset, '4');
  const some = await records.produceRecords({
    topic: 'orders',
    produceRequest: { records: [{ partition: 0, valueText: 'in' }, { partition: 9, valueText: 'out' }] },
  });
  equal([some.failed, some.results[0]?.offset, some.results[1]?.error?.code], [1, '5', 'unknown_partition']);
}

async function read(): Promise<void> {
  const page = await records.readRecords({ topic: 'orders', partition: 0, from: 'earliest', values: aquifer.Values.Json });
  equal(offsets(page.records), ['0', '1', '2', '3', '4', '5']);
  const [first, text, binary, tombstone, raw] = page.records;
  equal([first?.keyText, first?.valueJson], ['k', { amount: 3, paid: true, lines: ['a'] }]);
  equal(first?.headers.map((header) => [header.name, header.valueText]), [['origin', 'suite']]);
  equal([text?.valueText, text?.keyText === undefined], ['grüße', true]);
  equal(binary?.valueBase64, 'AP8=');
  equal([tombstone?.tombstone, tombstone?.valueText === undefined], [true, true]);
  equal(raw?.valueText, 'raw \0');
  equal([page.nextOffset, page.highWatermark], ['6', '6']);
  equal((await records.readRecords({ topic: 'orders', partition: 0, from: page.cursor })).records, []);
}

async function session(): Promise<void> {
  const opened = await sessions.openSession({
    group: 'billing',
    openSessionRequest: { topics: ['orders'], from: 'earliest' },
  });
  const poll = (token: string, after?: string) =>
    sessions.pollSession({ pollSessionRequest: { token, after, maxRecords: 4, waitMs: 5000 } });
  let polled = await poll(opened.token);
  const seen = offsets(polled.records);
  while (seen.length < 6) {
    polled = await poll(polled.token, polled.cursor);
    seen.push(...offsets(polled.records));
  }
  equal(seen, ['0', '1', '2', '3', '4', '5']);
  const committed = await sessions.commitSession({
    commitSessionRequest: { token: polled.token, ack: polled.cursor },
  });
  equal(committed.committed.map((place) => place.offset), ['6']);
  const lag = await groups.getGroupLag({ group: 'billing' });
  equal([lag.items[0]?.offset, lag.totalLag], ['6', '0']);

  const sought = await sessions.seekSession({
    seekSessionRequest: { token: committed.token, positions: [{ topic: 'orders', partition: 0, from: '4' }] },
  });
  const again = await poll(sought.token, sought.cursor);
  equal(offsets(again.records), ['4', '5']);
  const closed = await sessions.closeSession({ closeSessionRequest: { token: again.token, ack: again.cursor } });
  equal(closed.committed.map((place) => place.offset), ['6']);
  equal((await groups.getGroup({ group: 'billing' })).members, []);
  await groups.deleteGroup({ group: 'billing' });
}

async function errors(): Promise<void> {
  const missing = await refused(404, 'unknown_topic', topics.getTopic({ topic: 'none' }));
  equal([missing.retryable, missing.topic], [false, 'none']);
  const other = topics.createTopic({ topic: 'orders', createTopicRequest: { partitions: 2 } });
  await refused(409, 'topic_exists', other);
  const beyond = records.readRecords({ topic: 'orders', partition: 0, from: '99' });
  equal((await refused(416, 'offset_out_of_range', beyond)).latestOffset, '6');
  await refused(400, 'invalid_token', sessions.pollSession({ pollSessionRequest: { token: 'x' } }));
  await topics.deleteTopic({ topic: 'orders' });
  await refused(404, 'unknown_topic', topics.deleteTopic({ topic: 'orders' }));
}

function newer(): void {
  const known = { type: 't', title: 't', status: 404, detail: 'd', code: 'c', retryable: false, hint: 'h' };
  equal(aquifer.ProblemFromJSON({ ...known, unheard_of: [1] }).code, 'c');
}

await topic();
await produce();
await read();
await session();
await errors();
newer();
