import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { watchFile } from '../../src/io/sources/file.ts';
import { placesOf } from '../../src/io/sources/places.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'onemcp-source-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
});
const inFolder = (name: string) => join(folder, name);

/** Far longer than any change takes to be told, for what must not come; a shorter one would only make the test blind. */
const SILENCE = 250;

/** Watches a file that says `seen`, and waits for changes. A poll of an hour leaves the work to the file system. */
function watching(file: string, seen?: string, poll = 3_600_000) {
  let changes = 0;
  const source = watchFile({ file, poll, seen, onChange: () => void changes++ });
  onTestFinished(() => source.close());
  return {
    source,
    get changes() {
      return changes;
    },
    /** Waits until a change beyond those known is told, and all that belongs to it. */
    async next() {
      const before = changes;
      const deadline = performance.now() + 10_000;
      while (changes === before) {
        if (performance.now() > deadline) throw new Error('no change was told');
        await sleep(10);
      }
      await sleep(SILENCE);
    },
    async silence() {
      const before = changes;
      await sleep(SILENCE);
      expect(changes).toBe(before);
    },
  };
}

/** Once the watch has looked for the first time. */
async function started(file: string, seen?: string) {
  const watch = watching(file, seen);
  await watch.silence();
  return watch;
}

describe('a watched file', () => {
  it('tells of a text written over it, not of a touch or the same text', async () => {
    const file = inFolder('mcp.json');
    writeFileSync(file, 'one');
    const watch = await started(file, 'one');
    writeFileSync(file, 'two');
    await watch.next();
    utimesSync(file, 1, 1);
    await watch.silence();
    writeFileSync(inFolder('other.json'), 'of no interest');
    await watch.silence();
    writeFileSync(inFolder('copy'), 'two');
    renameSync(inFolder('copy'), file);
    await watch.silence();
  });

  it('tells of a change between its last reading and the start of the watch', async () => {
    writeFileSync(inFolder('mcp.json'), 'newer');
    await watching(inFolder('mcp.json'), 'older').next();
  });

  it('follows atomic saves, one after the other', async () => {
    const file = inFolder('mcp.json');
    writeFileSync(file, '0');
    const watch = await started(file, '0');
    for (const text of ['1', '2', '3']) {
      writeFileSync(inFolder('.mcp.json.tmp'), text);
      renameSync(inFolder('.mcp.json.tmp'), file);
      await watch.next();
    }
    expect(watch.changes).toBe(3);
  });

  it('follows editors that delete the file and make it anew', async () => {
    const file = inFolder('mcp.json');
    writeFileSync(file, 'one');
    const watch = await started(file, 'one');
    unlinkSync(file);
    await watch.next();
    writeFileSync(file, 'two');
    await watch.next();
    renameSync(file, inFolder('mcp.json~'));
    writeFileSync(file, 'three');
    await watch.next();
  });

  it('follows a file that is not there yet, nor is its folder', async () => {
    const file = inFolder('a/b/mcp.json');
    const watch = await started(file);
    mkdirSync(inFolder('a/b'), { recursive: true });
    writeFileSync(file, 'here');
    await watch.next();
    writeFileSync(file, 'changed');
    await watch.next();
  });

  it('follows a folder that is replaced by another', async () => {
    mkdirSync(inFolder('real'));
    symlinkSync('real', inFolder('link'));
    writeFileSync(inFolder('real/mcp.json'), 'one');
    const watch = await started(inFolder('link/mcp.json'), 'one');
    mkdirSync(inFolder('new'));
    writeFileSync(inFolder('new/mcp.json'), 'two');
    symlinkSync('new', inFolder('link.tmp'));
    renameSync(inFolder('link.tmp'), inFolder('link'));
    await watch.next();
    writeFileSync(inFolder('new/mcp.json'), 'three');
    await watch.next();
    writeFileSync(inFolder('real/mcp.json'), 'no longer of interest');
    await watch.silence();
  });

  it('follows the swaps of a ConfigMap', async () => {
    const revision = (name: string, text: string) => {
      mkdirSync(inFolder(name));
      writeFileSync(inFolder(`${name}/mcp.json`), text);
      symlinkSync(name, inFolder('..data_tmp'));
      renameSync(inFolder('..data_tmp'), inFolder('..data'));
    };
    revision('..2026_1', 'one');
    symlinkSync('..data/mcp.json', inFolder('mcp.json'));
    const watch = await started(inFolder('mcp.json'), 'one');
    for (const [index, text] of ['two', 'three', 'four'].entries()) {
      revision(`..2026_${index + 2}`, text);
      rmSync(inFolder(`..2026_${index + 1}`), { recursive: true });
      await watch.next();
    }
  });

  it('does not hang on links in a circle, nor read what is no file', async () => {
    symlinkSync('b', inFolder('a'));
    symlinkSync('a', inFolder('b'));
    await started(inFolder('a'));
    await started('/dev/zero');
    await started(folder);
  });

  it('is polled where the file system tells nothing', async () => {
    const file = inFolder('mcp.json');
    writeFileSync(file, 'one');
    const watch = watching(file, 'one', 20);
    await watch.silence();
    // What no watcher sees: a folder above is swapped by renames.
    const other = mkdtempSync(join(tmpdir(), 'onemcp-source-'));
    onTestFinished(() => rmSync(other, { recursive: true, force: true }));
    writeFileSync(join(other, 'mcp.json'), 'two');
    renameSync(folder, `${folder}.old`);
    onTestFinished(() => rmSync(`${folder}.old`, { recursive: true, force: true }));
    renameSync(other, folder);
    await watch.next();
    writeFileSync(file, 'three');
    await watch.next();
  });

  it('is silent after it was closed', async () => {
    const file = inFolder('mcp.json');
    writeFileSync(file, 'one');
    const watch = watching(file, 'one', 20);
    await watch.silence();
    writeFileSync(file, 'two');
    watch.source.close();
    writeFileSync(file, 'three');
    await watch.silence();
    expect(watch.changes).toBe(0);
  });

  it.skipIf(process.platform !== 'linux')('needs no more file descriptors with each change, and gives all back', async () => {
    const open = () => {
      const fds = readdirSync('/proc/self/fd').map((fd) => ({ fd, target: targetOf(fd) }));
      const inotify = fds.filter(({ target }) => target === 'anon_inode:inotify');
      const watches = inotify.flatMap(({ fd }) => readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').match(/^inotify /gm) ?? []).length;
      return { files: fds.filter(({ target }) => target.includes(folder)).length, watches };
    };
    const nothing = open();
    const file = inFolder('mcp.json');
    writeFileSync(file, 'one');
    const watch = await started(file, 'one');
    expect(open()).toEqual({ files: 0, watches: nothing.watches + 1 });
    for (let index = 0; index < 20; index++) {
      writeFileSync(inFolder('tmp'), `${index}`);
      renameSync(inFolder('tmp'), file);
      await sleep(5);
    }
    await sleep(SILENCE);
    expect(watch.changes).toBeGreaterThan(0);
    expect(open()).toEqual({ files: 0, watches: nothing.watches + 1 });
    watch.source.close();
    expect(open()).toEqual(nothing);
  });
});

function targetOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return '';
  }
}

describe('placesOf', () => {
  const relative = async (file: string) =>
    [...(await placesOf(file)).values()]
      .filter((place) => place.folder.startsWith(folder))
      .map((place) => `${place.folder.slice(folder.length)}/${[...place.names].sort().join('+')}`);

  it('names the folder of the file, and of each link on the way', async () => {
    mkdirSync(inFolder('v1'));
    mkdirSync(inFolder('etc'));
    writeFileSync(inFolder('v1/mcp.json'), '');
    symlinkSync('v1', inFolder('..data'));
    symlinkSync('..data/mcp.json', inFolder('mcp.json'));
    symlinkSync('../mcp.json', inFolder('etc/mine.json'));
    symlinkSync(inFolder('etc/mine.json'), inFolder('absolute'));
    expect(await relative(inFolder('v1/mcp.json'))).toEqual(['/v1/mcp.json']);
    expect(await relative(inFolder('mcp.json'))).toEqual(['/..data+mcp.json', '/v1/mcp.json']);
    expect(await relative(inFolder('absolute'))).toEqual(['/..data+absolute+mcp.json', '/etc/mine.json', '/v1/mcp.json']);
  });

  it('ends where the way ends', async () => {
    expect(await relative(inFolder('a/b/c'))).toEqual(['/a']);
    symlinkSync('nowhere/x', inFolder('dangling'));
    expect(await relative(inFolder('dangling'))).toEqual(['/dangling+nowhere']);
    writeFileSync(inFolder('plain'), '');
    expect(await relative(inFolder('plain/x'))).toEqual(['/plain/x']);
  });
});
