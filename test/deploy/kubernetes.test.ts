import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { verifies } from '../support/verifies.ts';
import { flawsOf } from './kinds.ts';
import { UID } from './layout.ts';
import {
  baseDocuments,
  baseManifests,
  built,
  builtDocuments,
  builtWithRights,
  filesIn,
  hasKubectl,
  kustomizationOf,
  type Manifests,
  patchOf,
} from './manifests.ts';

/** What has to hold of the base, and of what the overlays make of it. */
function expectConsistent(all: Manifests): void {
  const { Deployment: deployment, Service: service, ConfigMap: config, Secret: secret } = all;
  const { template, selector } = deployment.spec;
  const { spec: pod } = template;
  const [container] = pod.containers;
  const name = deployment.metadata.name;

  // Selectors lead to the pods.
  const mine = { 'app.kubernetes.io/name': 'onemcp' };
  expect(template.metadata.labels).toMatchObject(mine);
  expect(selector.matchLabels).toEqual(mine);
  for (const found of [
    service.spec.selector,
    all.PodDisruptionBudget.spec.selector.matchLabels,
    all.NetworkPolicy.spec.podSelector.matchLabels,
    ...pod.topologySpreadConstraints.map(({ labelSelector }) => labelSelector.matchLabels),
  ])
    expect(found).toEqual(mine);
  expect(all.HorizontalPodAutoscaler.spec.scaleTargetRef.name).toBe(name);
  expect(all.HorizontalPodAutoscaler.spec.minReplicas).toBeLessThanOrEqual(all.HorizontalPodAutoscaler.spec.maxReplicas);
  expect(pod.serviceAccountName).toBe(all.ServiceAccount.metadata.name);

  // Ports have one number under one name.
  const [port] = container.ports;
  expect([port?.name, port?.containerPort]).toEqual(['http', 3050]);
  expect(service.spec.ports).toEqual([{ name: 'http', port: 3050, targetPort: 'http', protocol: 'TCP' }]);
  expect(all.NetworkPolicy.spec.ingress.flatMap(({ ports = [] }) => ports)).toEqual([{ port: 3050, protocol: 'TCP' }]);

  // Volumes are mounted, mounts have a volume, names lead to a ConfigMap and a Secret.
  expect(container.volumeMounts.map((mount) => mount.name).sort()).toEqual(pod.volumes.map((volume) => volume.name).sort());
  const sources = pod.volumes.flatMap((volume) =>
    'configMap' in volume ? [volume.configMap.name] : 'secret' in volume ? [volume.secret.secretName] : [],
  );
  expect(sources).toEqual([config.metadata.name, secret.metadata.name]);
  const at = (volume: string) => container.volumeMounts.find((mount) => mount.name === volume);
  const env = Object.fromEntries(container.env.map((entry) => [entry.name, entry.value]));
  expect(env).toEqual({ ONEMCP_STATE_DIR: at('state')?.mountPath, ONEMCP_SECRETS: at('secrets')?.mountPath });
  expect([at('config')?.readOnly, at('secrets')?.readOnly]).toEqual([true, true]);
  // The file it is told to read is a key of the ConfigMap.
  const file = container.args[1] as string;
  expect(file.startsWith(`${at('config')?.mountPath}/`)).toBe(true);
  expect(Object.keys(config.data)).toContain(file.slice(`${at('config')?.mountPath}/`.length));

  expect(pod.securityContext).toMatchObject({ runAsUser: UID, runAsGroup: UID, fsGroup: UID });
}

/** Whether a pod has a token for the API server. */
const hasToken = ({ Deployment, ServiceAccount }: Manifests) => [
  Deployment.spec.template.spec.automountServiceAccountToken,
  ServiceAccount.automountServiceAccountToken,
];

describe('the base', () => {
  const all = baseManifests();

  it(verifies('kubernetes', 'has every manifest in the shape of its kind, and all names, ports and selectors agree'), () => {
    expectConsistent(all);
    expect(hasToken(all)).toEqual([false, false]);
    expect([...kustomizationOf('base').resources].sort()).toEqual([...filesIn('base')].sort());
  });

  it(verifies('kubernetes', 'is what the published schemas of Kubernetes accept, without a field they do not know'), () => {
    expect(baseDocuments().length).toBeGreaterThan(8);
    for (const document of baseDocuments()) expect(flawsOf(document)).toEqual([]);
  });

  it("has the guide's probes, to the letter", () => {
    const [{ livenessProbe, readinessProbe }] = all.Deployment.spec.template.spec.containers;
    expect({ livenessProbe, readinessProbe }).toEqual({
      livenessProbe: { httpGet: { path: '/health/live', port: 3050 }, initialDelaySeconds: 30, periodSeconds: 10 },
      readinessProbe: { httpGet: { path: '/health/ready', port: 3050 }, initialDelaySeconds: 5, periodSeconds: 5 },
    });
  });

  it('its configuration is right, its secrets are keys of the Secret, and it trusts the names of its Service', async () => {
    const secrets = all.Secret.stringData;
    const read = async (name: string) => {
      if (secrets[name] === undefined) throw new Error(`the Secret has no key ${name}`);
      return secrets[name];
    };
    const loaded = await loadConfig({ file: 'mcp.json', text: all.ConfigMap.data['mcp.json'] ?? '', env: {}, secrets: { read } });
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.issues));
    const { config } = loaded;
    const service = all.Service.metadata.name;
    const namespace = kustomizationOf('base').namespace;
    expect(config.trustedHosts).toEqual([
      service,
      `${service}.${namespace}`,
      `${service}.${namespace}.svc`,
      `${service}.${namespace}.svc.cluster.local`,
    ]);
    // The grace has room for preStop and the whole shutdown.
    const { terminationGracePeriodSeconds: grace, containers } = all.Deployment.spec.template.spec;
    const preStop = Number(containers[0].lifecycle.preStop.exec.command[1]);
    expect(grace * 1000).toBeGreaterThan(preStop * 1000 + config.limits.shutdownTimeout + config.limits.drainTimeout);
  });
});

describe.each(['development', 'production'])('the overlay %s', (overlay) => {
  const folder = `overlays/${overlay}`;

  it('changes only what the base has', () => {
    const { resources, patches = [], images } = kustomizationOf(folder);
    const all = baseManifests();
    expect(resources).toEqual(['../../base']);
    expect(patches.map(({ path }) => path).sort()).toEqual([...filesIn(folder)].sort());
    for (const { path } of patches) {
      const patch = patchOf(folder, path);
      expect(patch?.metadata).toEqual({
        name: all[patch?.kind as keyof Manifests].metadata.name,
        namespace: kustomizationOf('base').namespace,
      });
    }
    expect(images.map(({ name }) => name)).toEqual(['onemcp']);
    expect(images[0]?.newTag).not.toBe('latest');
  });

  it('names in its patches only what the schemas know', () => {
    for (const { path } of kustomizationOf(folder).patches ?? []) {
      // What a patch leaves out, the base has.
      expect(flawsOf(patchOf(folder, path)).filter((flaw) => !flaw.includes('must have required property'))).toEqual([]);
    }
  });

  it.skipIf(!hasKubectl)('is what the published schemas accept, as Kustomize builds it', () => {
    for (const document of builtDocuments(folder)) expect(flawsOf(document)).toEqual([]);
  });

  it.skipIf(!hasKubectl)('is consistent as Kustomize builds it', () => {
    const all = built(folder);
    expectConsistent(all);
    expect(hasToken(all)).toEqual([false, false]);
    for (const [kind, { metadata }] of Object.entries(all))
      expect(kind === 'Namespace' ? metadata.name : metadata.namespace).toBe('onemcp');
    const [container] = all.Deployment.spec.template.spec.containers;
    const { minReplicas } = all.HorizontalPodAutoscaler.spec;
    if (overlay === 'production') {
      expect(container.image).toMatch(/^registry\.example\.com\/onemcp:\d/);
      expect(minReplicas).toBe(3);
    } else {
      expect(container.args).toContain('debug');
      expect(minReplicas).toBe(1);
    }
    expect(container.livenessProbe.httpGet.path).toBe('/health/live');
  });
});

describe('the overlay discovery', () => {
  it.skipIf(!hasKubectl)('lets the gateway read Services of its namespace, and nothing else, beyond what production has', () => {
    const { Role: role, RoleBinding: binding, ...all } = builtWithRights('overlays/discovery');
    const production = built('overlays/production');
    expectConsistent(all);
    expect(role.rules).toEqual([{ apiGroups: [''], resources: ['services'], verbs: ['get', 'list', 'watch'] }]);
    const { name, namespace } = all.ServiceAccount.metadata;
    expect(binding.subjects).toEqual([{ kind: 'ServiceAccount', name, namespace }]);
    expect(binding.roleRef.name).toBe(role.metadata.name);
    expect([role.metadata.namespace, binding.metadata.namespace]).toEqual([namespace, namespace]);
    // The pod has a token, and may reach the API server, whose own port is what a policy sees.
    expect(hasToken(all)).toEqual([true, true]);
    const { egress } = all.NetworkPolicy.spec;
    expect(egress.slice(0, -1)).toEqual(production.NetworkPolicy.spec.egress);
    expect(egress.at(-1)?.ports).toEqual([{ port: 6443, protocol: 'TCP' }]);
    // The rest is that of production.
    const rest = ({ ServiceAccount, NetworkPolicy, Deployment, ...others }: Manifests) => ({
      ...others,
      containers: Deployment.spec.template.spec.containers,
    });
    expect(rest(all)).toEqual(rest(production));
  });

  it.skipIf(!hasKubectl)('is what the published schemas accept, its Role and RoleBinding too', () => {
    const documents = builtDocuments('overlays/discovery');
    expect(documents.map((document) => (document as { kind: string }).kind)).toEqual(expect.arrayContaining(['Role', 'RoleBinding']));
    for (const document of documents) expect(flawsOf(document)).toEqual([]);
  });
});

describe('the check against the schemas', () => {
  it.each([
    ['a misspelt field', { ports: [{ port: 3050, targetport: 'http' }] }, '/spec/ports/0/targetport is no field of v1 Service'],
    ['a wrong type', { ports: [{ port: '3050' }] }, 'data/spec/ports/0/port must be integer'],
    ['a missing field', { ports: [{ name: 'http' }] }, 'data/spec/ports/0 must have required property port'],
    ['a field in the wrong place', { port: 3050 }, '/spec/port is no field of v1 Service'],
  ])('refuses %s', (_, spec, flaw) => {
    expect(flawsOf({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'onemcp' }, spec })).toEqual([flaw]);
  });

  it('refuses a kind that is not there, or not in this group', () => {
    expect(() => flawsOf({ apiVersion: 'v1', kind: 'Deployment' })).toThrow('Kubernetes has no v1 Deployment');
    expect(() => flawsOf({ apiVersion: 'apps/v1', kind: 'Deploymnet' })).toThrow('Kubernetes has no apps/v1 Deploymnet');
  });

  it('lets maps have any key: labels, data, limits', () => {
    const metadata = { name: 'onemcp', labels: { 'example.com/any': 'thing' } };
    expect(flawsOf({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { 'mcp.json': '{}' } })).toEqual([]);
  });
});

if (!hasKubectl) console.warn('*** NO kubectl: the overlays were not built ***');
