/** What of a server can be shown: commands and addresses without what may be a credential. */

const HIDDEN = '***';
const CREDENTIAL = /key|token|secret|pass|auth|cred|cookie/i;
/** Keys of well-known services, and words that nobody would have chosen. */
const KEY = /^(?:sk|pk|rk|ghp|gho|ghs|github_pat|glpat|xox[a-z]|AKIA|AIza|ya29|eyJ)[-_A-Za-z0-9.]{8,}$/;
const RANDOM = /^(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9_-]{24,}$/;
const TEMPLATE = /^\$\{[^}]*\}$/;

const isSecret = (text: string): boolean => !TEMPLATE.test(text) && (KEY.test(text) || RANDOM.test(text));

/** The words of a command; those that follow `--api-key` and the like, and those that look like keys, are `***`. */
export function maskedWords(words: readonly string[]): readonly string[] {
  return words.map((word, index) => {
    const before = words[index - 1] ?? '';
    if (/^-/.test(before) && !before.includes('=') && CREDENTIAL.test(before) && !/^-/.test(word))
      return TEMPLATE.test(word) ? word : HIDDEN;
    const pair = /^([^=\s]+)=(.+)$/s.exec(word);
    if (pair && (CREDENTIAL.test(pair[1] as string) || isSecret(pair[2] as string))) {
      return TEMPLATE.test(pair[2] as string) ? word : `${pair[1]}=${HIDDEN}`;
    }
    if (/^[a-z][a-z0-9+.-]*:\/\//i.test(word)) return maskedUrl(word);
    return isSecret(word) ? HIDDEN : word;
  });
}

/** An address without user and password, without the values of its query, and without parts of its path that look like keys. */
export function maskedUrl(url: string): string {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/)?(.*)$/is.exec(url) ?? [];
  const [beforeHash = ''] = rest.split('#');
  const [place = '', query] = beforeHash.split(/\?(.*)/s);
  const parts = place.replace(/^[^/@]*@/, `${HIDDEN}@`).split('/');
  const path = parts.map((part, index) => (index > 0 && isSecret(part) ? HIDDEN : part)).join('/');
  const values = query?.replace(/=[^&]*/g, (value) => (TEMPLATE.test(value.slice(1)) ? value : `=${HIDDEN}`));
  return `${scheme}${path}${values ? `?${values}` : ''}`;
}
