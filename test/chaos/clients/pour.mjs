// Opens COUNT connections to PORT, sends HEAD on each and then chunks as fast as they are taken; prints how many were closed
// within MS. A process of its own, so that it takes no time from the honest clients of a test.
import { connect } from 'node:net';

const { PORT, COUNT, HEAD, MS } = process.env;
const chunk = `4000\r\n${'z'.repeat(0x4000)}\r\n`;
let closed = 0;

for (let n = 0; n < Number(COUNT); n++) {
  const socket = connect(Number(PORT), '127.0.0.1');
  const pour = () => {
    while (socket.writable && socket.write(chunk));
  };
  socket
    .on('drain', pour)
    .on('error', () => {})
    .on('close', () => {
      if (++closed === Number(COUNT)) end();
    })
    .resume()
    .write(HEAD, pour);
}
const timer = setTimeout(end, Number(MS));

function end() {
  clearTimeout(timer);
  process.stdout.write(String(closed), () => process.exit(0));
}
