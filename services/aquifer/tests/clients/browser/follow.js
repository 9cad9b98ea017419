// follow.js CHROMIUM URL COUNT: a page of Chromium follows topic t over SSE and over a WebSocket until it has seen COUNT
// values over each, whatever becomes of the gateway meanwhile. Prints what it saw, in order, and how often it connected.
import { chromium } from 'playwright-core';

const [executablePath, url, count] = process.argv.slice(2);

// What runs in the page, as anybody would write it.
async function follow(count) {
  const overEvents = new Promise((done) => {
    const seen = { values: [], connected: 0 };
    let last = 'earliest';
    const open = () => {
      const source = new EventSource(`/v1/topics/t/records:sse?from=${encodeURIComponent(last)}`);
      source.onopen = () => { seen.connected += 1; };
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
      socket.onopen = () => { seen.connected += 1; };
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
  return { events: await overEvents, socket: await overSocket };
}

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
try {
  const page = await browser.newPage();
  await page.goto(`${url}/v1/docs`);
  console.log(JSON.stringify(await page.evaluate(follow, Number(count))));
} finally {
  await browser.close();
}
