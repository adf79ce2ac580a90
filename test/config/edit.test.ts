import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_FILE, hasServer, withDisabled, withGatewayOption, withoutServer, withServer } from '../../src/config/edit.ts';
import { parseDocument } from '../../src/config/parse.ts';
import { verifies } from '../support/verifies.ts';

const FILE = `// the servers of the team
{
  "$schema": "./config.schema.json",
  "mcpServers": {
    // searches
    "web": { "url": "https://x.example/mcp" }, // ask Ann for the token
    /* files */
    "files": {
      "command": "mcp-files", // from the package of the same name
      "args": ["."]
    } // the last one
  }, // end of servers
  "gateway": { "port": 4000 }
}
`;

describe('adding a server', () => {
  it('puts it behind the last one and its comment', () => {
    expect(withServer(FILE, 'git', { command: 'mcp-git', args: ['--repo', '.'], tags: ['code'] })).toBe(
      FILE.replace(
        '    } // the last one\n',
        '    }, // the last one\n    "git": {\n      "command": "mcp-git",\n      "args": ["--repo", "."],\n      "tags": ["code"]\n    }\n',
      ),
    );
  });

  it('replaces one of the same name where it is', () => {
    expect(withServer(FILE, 'web', { url: 'https://y.example' })).toBe(
      FILE.replace('{ "url": "https://x.example/mcp" }', '{\n      "url": "https://y.example"\n    }'),
    );
  });

  it('begins with an empty object, or with none', () => {
    const expected = '{\n  "mcpServers": {\n    "a": {\n      "command": "x"\n    }\n  }\n}\n';
    expect(withServer(EMPTY_FILE, 'a', { command: 'x' })).toBe(expected);
    expect(withServer('{\n}\n', 'a', { command: 'x' })).toBe(expected);
    expect(withServer('{}', 'a', {})).toBe('{\n  "mcpServers": {\n    "a": {}\n  }\n}');
  });

  it('keeps a comment that is alone in the object', () => {
    expect(withServer('{\n\t"mcpServers": {\n\t\t// none yet\n\t}\n}', 'a', {})).toBe(
      '{\n\t"mcpServers": {\n\t\t// none yet\n\t\t"a": {}\n\t}\n}',
    );
  });

  it('stays on one line where everything is', () => {
    expect(withServer('{ "mcpServers": { "a": {} } }', 'b', { command: 'x', args: [] })).toBe(
      '{ "mcpServers": { "a": {}, "b": { "command": "x", "args": [] } } }',
    );
  });

  it('keeps tabs, carriage returns, trailing commas and a byte order mark', () => {
    const text = '\uFEFF{\r\n\t"mcpServers": {\r\n\t\t"a": {},\r\n\t},\r\n}\r\n';
    expect(withServer(text, 'b', { command: 'x' })).toBe(
      '\uFEFF{\r\n\t"mcpServers": {\r\n\t\t"a": {},\r\n\t\t"b": {\r\n\t\t\t"command": "x"\r\n\t\t},\r\n\t},\r\n}\r\n',
    );
  });

  it('knows where VS Code keeps servers', () => {
    expect(withServer('{ "servers": { "a": {} } }', 'b', {})).toBe('{ "servers": { "a": {}, "b": {} } }');
    expect(hasServer('{ "mcpServers": {}, "mcpTemplates": { "t": {} } }', 't')).toBe(true);
  });

  it('refuses what is no object', () => {
    expect(() => withServer('[]', 'a', {})).toThrow('the file is not a JSON object; correct it first');
  });
});

describe('removing a server', () => {
  it('takes its lines, and the comment behind it', () => {
    expect(withoutServer(FILE, 'web')).toBe(FILE.replace(/ {4}"web".*\n/, ''));
  });

  it('takes the comma before it when it is the last', () => {
    expect(withoutServer(FILE, 'files')).toBe(
      FILE.replace(/ {4}"files"[\s\S]*the last one\n/, '').replace('mcp" }, // ask', 'mcp" } // ask'),
    );
  });

  it.each([
    ['{ "mcpServers": { "a": {}, "b": {} } }', 'a', '{ "mcpServers": { "b": {} } }'],
    ['{ "mcpServers": { "a": {}, "b": {} } }', 'b', '{ "mcpServers": { "a": {} } }'],
    ['{ "mcpServers": { "a": {} } }', 'a', '{ "mcpServers": {} }'],
    ['{\n  "mcpServers": {\n    "a": {}\n  }\n}', 'a', '{\n  "mcpServers": {}\n}'],
    ['{ "mcpServers": { "a": {}, /* b */ "b": {} } }', 'b', '{ "mcpServers": { "a": {} /* b */  } }'],
    ['{"mcpServers":{"a":{},"b":{},}}', 'b', '{"mcpServers":{"a":{},}}'],
  ])('leaves no trace: %s without %s', (text, name, expected) => {
    expect(withoutServer(text, name)).toBe(expected);
  });

  it('says when there is none', () => {
    expect(() => withoutServer(FILE, 'x')).toThrow('there is no server "x" in it');
    expect(() => withDisabled('{ "mcpServers": { "a": 1 } }', 'a', true)).toThrow('there is no server "a" in it');
  });
});

describe('switching a server off and on', () => {
  it('is undone without a trace', () => {
    const off = withDisabled(FILE, 'files', true);
    expect(off).toBe(FILE.replace('"args": ["."]\n', '"args": ["."],\n      "disabled": true\n'));
    expect(withDisabled(off, 'files', false)).toBe(FILE);
    expect(withDisabled(FILE, 'web', true)).toContain('{ "url": "https://x.example/mcp", "disabled": true }, // ask');
    expect(withDisabled(withDisabled(FILE, 'web', true), 'web', false)).toBe(FILE);
  });

  it('replaces what was written', () => {
    expect(withDisabled('{ "mcpServers": { "a": { "disabled": false } } }', 'a', true)).toBe(
      '{ "mcpServers": { "a": { "disabled": true } } }',
    );
    expect(withDisabled(FILE, 'web', false)).toBe(FILE);
  });
});

it('an option of the gateway is set where the others are', () => {
  expect(withGatewayOption(FILE, 'port', 1)).toBe(FILE.replace('4000', '1'));
  expect(withGatewayOption(EMPTY_FILE, 'port', 1)).toBe('{\n  "mcpServers": {},\n  "gateway": {\n    "port": 1\n  }\n}\n');
});

it(verifies('config-edits', 'what is added and removed again leaves the file as it was, whatever its comments and its style'), () => {
  const name = fc.string({ minLength: 1, maxLength: 6 }).filter((text) => !['__proto__', 'constructor', 'prototype'].includes(text));
  const comment = fc.constantFrom('', ' // a, comment }', ' /* { "x": 1 } */', '\n    // on its own line, ');
  const space = fc.constantFrom('\n    ', '\n\t\t', ' ');
  const entry = fc.record({ command: fc.string(), args: fc.array(fc.string(), { maxLength: 3 }) });
  const file = fc
    .record({ names: fc.uniqueArray(name, { minLength: 1, maxLength: 4 }), comment, space, entry, comma: fc.boolean() })
    .filter(({ comment: text, space: gap }) => gap !== ' ' || !text.includes('//'));
  const property = fc.property(file, name, ({ names, comment: note, space: gap, entry: one, comma }, added) => {
    fc.pre(!names.includes(added));
    const items = names.map((key) => `${gap}${JSON.stringify(key)}: ${JSON.stringify(one)}`);
    const text = `{\n  "mcpServers": {${items.join(`,${note}`)}${comma ? ',' : ''}${note}\n  }\n}\n`;
    const more = withServer(text, added, { command: 'x' });
    expect(parseDocument(more)).toMatchObject({
      problems: [],
      document: { value: { mcpServers: { ...Object.fromEntries(names.map((key) => [key, one])), [added]: { command: 'x' } } } },
    });
    const back = withoutServer(more, added);
    if (gap !== ' ') expect(back).toBe(text);
    expect(parseDocument(back).document?.value).toEqual(parseDocument(text).document?.value);
    expect(withDisabled(withDisabled(text, names[0] as string, true), names[0] as string, false)).toBe(text);
  });
  fc.assert(property, { numRuns: 500 });
});
