import { expect, it } from 'vitest';
import { createRedactor } from '../../src/observe/redact.ts';

it('learns, and still knows what it knew', () => {
  const { redact, learn } = createRedactor(['first-secret']);
  expect(redact('first-secret second secret/')).toBe('*** second secret/');
  learn(['second secret/', 'first-secret']);
  expect(redact('first-secret second secret/ second%20secret%2F')).toBe('*** *** ***');
});

it('replaces the longest first, whenever it was learned', () => {
  const { redact, learn } = createRedactor(['abcdef']);
  learn(['abcdef-and-more']);
  expect(redact('abcdef-and-more abcdef')).toBe('*** ***');
});

it('leaves texts alone that are in every second line', () => {
  expect(createRedactor(['true', '']).redact('it is true')).toBe('it is true');
});

it('forgets secrets that have rotated away long ago', () => {
  const { redact, learn } = createRedactor(['secret-of-the-start']);
  for (let count = 0; count < 15; count++) learn([`rotated-${count}`]);
  for (let count = 0; count < 100; count++) learn(['rotated-14']);
  expect(redact('secret-of-the-start rotated-0')).toBe('*** ***');
  learn(['rotated-15']);
  expect(redact('secret-of-the-start rotated-0 rotated-15')).toBe('secret-of-the-start *** ***');
});

it('knows a secret by its encodings, and one with many lines by each of them', () => {
  const key = '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSjAgEAAoIBAQDV\nshort\n-----END KEY-----\n';
  const { redact } = createRedactor(['pass?word>>1', key, 'half \ud800 a character']);
  const base64 = Buffer.from('pass?word>>1').toString('base64');
  expect(redact(`${base64} ${base64.replace(/=+$/, '')} ${Buffer.from('pass?word>>1').toString('base64url')}`)).toMatch(
    /^\*\*\*=* \*\*\* \*\*\*$/,
  );
  expect(redact('key line 1: MIIEvQIBADANBgkqhkiG9w0BAQEF')).toBe('key line 1: ***');
  expect(redact(`the key is ${key}.`)).toBe('the key is ***.');
  expect(redact('a short line')).toBe('a short line');
});

it('knows the ways in which programs write a secret in JSON, in an address and in base64', () => {
  const secret = 'pä"ss/w&rd <it\'s> ~(9)';
  const { redact } = createRedactor([secret]);
  const python = JSON.stringify(secret).slice(1, -1).replace('ä', '\\u00e4');
  const go = JSON.stringify(secret).slice(1, -1).replace('&', '\\u0026').replace('<', '\\u003c').replace('>', '\\u003e');
  const said = {
    json: JSON.stringify(secret).slice(1, -1),
    twice: JSON.stringify(JSON.stringify({ secret })),
    php: JSON.stringify(secret).slice(1, -1).replace('/', '\\/'),
    python,
    go,
    url: encodeURIComponent(secret),
    small: encodeURIComponent(secret).replace(/%../g, (code) => code.toLowerCase()),
    form: new URLSearchParams({ secret }).toString(),
    whole: encodeURI(secret),
    basic: `Basic ${Buffer.from(`user:${secret}`).toString('base64')}`,
    inside: Buffer.from(`x${secret} and more`).toString('base64url'),
    further: Buffer.from(`xy${secret} and more`).toString('base64'),
  };
  for (const [how, text] of Object.entries(said)) expect([how, redact(text)]).toEqual([how, expect.stringContaining('***')]);
  for (const text of [said.json, said.php, python, go, said.url, said.small, said.whole]) expect(redact(text)).toBe('***');
});

it('knows the password and the path of an address that is a secret', () => {
  const { redact } = createRedactor(['https://me:pass%21word@hooks.example.com/services/T0/B0/abcdef?key=of-it-all-1234']);
  expect(redact('denied for pass!word, or pass%21word')).toBe('denied for ***, or ***');
  expect(redact('Cannot POST /services/T0/B0/abcdef')).toBe('Cannot POST ***');
  expect(redact('at hooks.example.com')).toBe('at hooks.example.com');
});

it('takes the beginning of a secret from a text that was cut', () => {
  const long = `eyJ${'0123456789abcdef'.repeat(100)}`;
  const { redact } = createRedactor([long, 'other-secret']);
  for (const length of [6, 7, 500, 1000, long.length - 1]) {
    expect(redact(`a line with ${long.slice(0, length)}`, true)).toBe('a line with ***');
  }
  expect(redact(`a line with ${long.slice(0, 500)}.`, true)).toBe(`a line with ${long.slice(0, 500)}.`);
  expect(redact('a line', true)).toBe('a line');
  expect(redact('its other-', true)).toBe('its ***');
});
