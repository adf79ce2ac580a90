import type { Alert } from './alerts.ts';

/** The text that is sent; `application/json` either way. */
export function alertBody(alert: Alert, format: 'json' | 'slack'): string {
  return JSON.stringify(format === 'json' ? alert : { text: slackText(alert) });
}

const ICONS: Readonly<Record<Alert['severity'], string>> = {
  critical: ':red_circle:',
  warning: ':large_orange_circle:',
  info: ':large_green_circle:',
};

/** https://docs.slack.dev/messaging/formatting-message-text */
function slackText({ severity, type, summary, error, since, gateway }: Alert): string {
  const lines = [
    `${ICONS[severity]} *${escaped(gateway.name)}* on ${escaped(gateway.host)}: ${escaped(summary)}`,
    ...(error === undefined ? [] : [`> ${escaped(error).replaceAll('\n', '\n> ')}`]),
    `_${type.replaceAll('_', ' ')}, since ${since}_`,
  ];
  return lines.join('\n');
}

/** Foreign text must not mention anybody nor make links. */
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('`', "'");
