// follow.js CHROMIUM URL COUNT: a page of Chromium follows topic t over SSE and over a WebSocket until it has seen COUNT
// values over each, whatever becomes of the gateway meanwhile. Prints a line once it follows, and at the end what it saw, in
// order, and how often it connected.
import { chromium } from 'playwright-core';

const [executablePath, url, count] = process.argv.slice(2);

// What runs in the page, as anybody would write it. Returns once both ways are open; the page then has what will have come.
async function follow(count) {
  const ways = new Set();
  let bothOpen;
  const isOpen = new Promise((done) => { bothOpen = done; });
  const opened = (way) => {
    ways.add(way);
    if (ways.size === 2) {
      bothOpen();
    }
  };
  const overEvents = new Promise((done) => {
    const seen = { values: [], connected: 0 };
    let last = 'earliest';
    const open = () => {
      const source = new EventSource(`/v1/topics/t/records:sse?from=${encodeURIComponent(last)}`);
      source.onopen = () => {
        seen.connected += 1;
        opened('events');
      };
      const remember = (event) => { last = event.lastEventId || last; };
      source.addEventListener('control', remember);
      source.addEventListener('reconnect', remember);
      source.onmessage = (event) => {
        remember(event);
        seen.values.push(JSON.parse(event.data).value_text);
        if (new Set(seen.values).size === count) {
          source.close();
          done(seen);
        }
      };
      source.onerror = () => {
        // A browser comes back by itself, with the last id, unless an answer was no stream.
        if (source.readyState === EventSource.CLOSED) {
          setTimeout(open, 200);
        }
      };
    };
    open();
  });
  const overSocket = new Promise((done) => {
    const seen = { values: [], connected: 0 };
    let last = 'earliest';
    const open = () => {
      const socket = new WebSocket(`ws://${location.host}/v1/topics/t/records:ws?from=${encodeURIComponent(last)}`);
      socket.onopen = () => {
        seen.connected += 1;
        opened('socket');
      };
      socket.onmessage = (event) => {
        const page = JSON.parse(event.data);
        last = page.cursor || last;
        for (const record of page.records || []) {
          seen.values.push(record.value_text);
        }
        if (new Set(seen.values).size === count) {
          socket.onclose = null;
          socket.close();
          done(seen);
        }
      };
      socket.onclose = () => setTimeout(open, 200);
    };
    open();
  });
  window.followed = Promise.all([overEvents, overSocket]).then(([events, socket]) => ({ events, socket }));
  await isOpen;
}

// A busy machine takes its time.
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'], timeout: 120000 });
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(120000);
  await page.goto(`${url}/v1/docs`);
  await page.evaluate(follow, Number(count));
  console.log('following');
  console.log(JSON.stringify(await page.evaluate(() => window.followed)));
} finally {
  await browser.close();
}
