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
