import { type WhyDocument, whyText } from '../observe/why.ts';
import { type Asking, say, withGateway } from './control.ts';
import { EXIT } from './process.ts';

/** `onemcp why NAME [FILE]`: the story of one server, and what can be done. */
export async function why(name: string, asking: Asking): Promise<number> {
  return withGateway(asking, async (ask) => {
    const document = await ask<WhyDocument>({ method: 'GET', path: `/why/${encodeURIComponent(name)}` });
    say(asking.ports.stdout, asking.flags.json ? JSON.stringify(document, null, 2) : whyText(document));
    return EXIT.ok;
  });
}
