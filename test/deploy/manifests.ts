/** The Kubernetes manifests of the repository, with the shape each kind must have. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { ROOT, read } from './layout.ts';
import { yamlOf } from './yaml.ts';

const FOLDER = 'deploy/kubernetes';

const labels = z.record(z.string(), z.string());
const metadata = z.strictObject({ name: z.string(), namespace: z.string().optional(), labels: labels.optional() });
const selector = z.strictObject({ matchLabels: labels });
const port = z.union([z.int().positive(), z.string()]);
const of = <A extends string, K extends string, S extends z.ZodRawShape>(apiVersion: A, kind: K, shape: S) =>
  z.strictObject({ apiVersion: z.literal(apiVersion), kind: z.literal(kind), metadata, ...shape });

const probe = z.strictObject({
  httpGet: z.strictObject({ path: z.string(), port }),
  initialDelaySeconds: z.int(),
  periodSeconds: z.int(),
});
const resources = z.strictObject({ requests: labels, limits: labels });
const container = z.strictObject({
  name: z.string(),
  image: z.string(),
  imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']),
  args: z.array(z.string()),
  env: z.array(z.strictObject({ name: z.string(), value: z.string() })),
  ports: z.array(z.strictObject({ name: z.string(), containerPort: z.int(), protocol: z.literal('TCP') })),
  livenessProbe: probe,
  readinessProbe: probe,
  lifecycle: z.strictObject({ preStop: z.strictObject({ exec: z.strictObject({ command: z.array(z.string()) }) }) }),
  securityContext: z.strictObject({
    allowPrivilegeEscalation: z.literal(false),
    readOnlyRootFilesystem: z.literal(true),
    capabilities: z.strictObject({ drop: z.tuple([z.literal('ALL')]) }),
  }),
  resources,
  volumeMounts: z.array(z.strictObject({ name: z.string(), mountPath: z.string().startsWith('/'), readOnly: z.boolean().optional() })),
});
const volume = z.union([
  z.strictObject({ name: z.string(), configMap: z.strictObject({ name: z.string() }) }),
  z.strictObject({ name: z.string(), secret: z.strictObject({ secretName: z.string(), defaultMode: z.int() }) }),
  z.strictObject({ name: z.string(), emptyDir: z.strictObject({ sizeLimit: z.string().optional() }) }),
]);
const spread = z.strictObject({
  maxSkew: z.int(),
  topologyKey: z.string(),
  whenUnsatisfiable: z.enum(['DoNotSchedule', 'ScheduleAnyway']),
  labelSelector: selector,
});
const pod = z.strictObject({
  serviceAccountName: z.string(),
  automountServiceAccountToken: z.boolean(),
  terminationGracePeriodSeconds: z.int(),
  securityContext: z.strictObject({
    runAsNonRoot: z.literal(true),
    runAsUser: z.int().positive(),
    runAsGroup: z.int().positive(),
    fsGroup: z.int().positive(),
    seccompProfile: z.strictObject({ type: z.literal('RuntimeDefault') }),
  }),
  topologySpreadConstraints: z.array(spread),
  containers: z.tuple([container]),
  volumes: z.array(volume),
});
const peers = z.array(
  z.union([
    z.strictObject({ podSelector: z.strictObject({}) }),
    z.strictObject({ namespaceSelector: selector }),
    z.strictObject({ ipBlock: z.strictObject({ cidr: z.string(), except: z.array(z.string()) }) }),
  ]),
);
const netPorts = z.array(z.strictObject({ port: z.int(), protocol: z.enum(['TCP', 'UDP']) })).optional();

const SHAPES = {
  Namespace: of('v1', 'Namespace', {}),
  ServiceAccount: of('v1', 'ServiceAccount', { automountServiceAccountToken: z.boolean() }),
  ConfigMap: of('v1', 'ConfigMap', { data: labels }),
  Secret: of('v1', 'Secret', { type: z.literal('Opaque'), stringData: labels }),
  Deployment: of('apps/v1', 'Deployment', {
    spec: z.strictObject({
      selector,
      strategy: z.strictObject({
        type: z.literal('RollingUpdate'),
        rollingUpdate: z.strictObject({ maxUnavailable: z.literal(0), maxSurge: z.int().positive() }),
      }),
      template: z.strictObject({ metadata: z.strictObject({ labels }), spec: pod }),
    }),
  }),
  Service: of('v1', 'Service', {
    spec: z.strictObject({
      selector: labels,
      sessionAffinity: z.literal('ClientIP'),
      sessionAffinityConfig: z.strictObject({ clientIP: z.strictObject({ timeoutSeconds: z.int().max(86_400) }) }),
      ports: z.array(z.strictObject({ name: z.string(), port: z.int(), targetPort: port, protocol: z.literal('TCP') })),
    }),
  }),
  HorizontalPodAutoscaler: of('autoscaling/v2', 'HorizontalPodAutoscaler', {
    spec: z.strictObject({
      scaleTargetRef: z.strictObject({ apiVersion: z.literal('apps/v1'), kind: z.literal('Deployment'), name: z.string() }),
      minReplicas: z.int().positive(),
      maxReplicas: z.int().positive(),
      metrics: z.array(
        z.strictObject({
          type: z.literal('Resource'),
          resource: z.strictObject({
            name: z.enum(['cpu', 'memory']),
            target: z.strictObject({ type: z.literal('Utilization'), averageUtilization: z.int() }),
          }),
        }),
      ),
      behavior: z.strictObject({
        scaleDown: z.strictObject({
          stabilizationWindowSeconds: z.int().max(3_600),
          policies: z.array(z.strictObject({ type: z.literal('Pods'), value: z.int(), periodSeconds: z.int() })),
        }),
      }),
    }),
  }),
  PodDisruptionBudget: of('policy/v1', 'PodDisruptionBudget', { spec: z.strictObject({ maxUnavailable: z.int(), selector }) }),
  NetworkPolicy: of('networking.k8s.io/v1', 'NetworkPolicy', {
    spec: z.strictObject({
      podSelector: selector,
      policyTypes: z.tuple([z.literal('Ingress'), z.literal('Egress')]),
      ingress: z.array(z.strictObject({ from: peers, ports: netPorts })),
      egress: z.array(z.strictObject({ to: peers, ports: netPorts })),
    }),
  }),
} as const;

/** What a pod needs to ask the API server; only with discovery. */
const RIGHTS = {
  Role: of('rbac.authorization.k8s.io/v1', 'Role', {
    rules: z.array(z.strictObject({ apiGroups: z.array(z.string()), resources: z.array(z.string()), verbs: z.array(z.string()) })),
  }),
  RoleBinding: of('rbac.authorization.k8s.io/v1', 'RoleBinding', {
    roleRef: z.strictObject({ apiGroup: z.literal('rbac.authorization.k8s.io'), kind: z.literal('Role'), name: z.string() }),
    subjects: z.array(z.strictObject({ kind: z.literal('ServiceAccount'), name: z.string(), namespace: z.string() })),
  }),
} as const;

export type Rights = { readonly [K in keyof typeof RIGHTS]: z.infer<(typeof RIGHTS)[K]> };

export type Kind = keyof typeof SHAPES;
export type Manifests = { readonly [K in Kind]: z.infer<(typeof SHAPES)[K]> };

const kustomization = z.strictObject({
  apiVersion: z.literal('kustomize.config.k8s.io/v1beta1'),
  kind: z.literal('Kustomization'),
  namespace: z.string().optional(),
  labels: z.array(z.strictObject({ pairs: labels })).optional(),
  resources: z.array(z.string()),
  patches: z.array(z.strictObject({ path: z.string() })).optional(),
  images: z.array(z.strictObject({ name: z.string(), newName: z.string().optional(), newTag: z.string() })),
});

export const kustomizationOf = (folder: string) => kustomization.parse(yamlOf(read(join(FOLDER, folder, 'kustomization.yaml')))[0]);

export const filesIn = (folder: string): readonly string[] =>
  readdirSync(join(ROOT, FOLDER, folder)).filter((name) => name !== 'kustomization.yaml');

/** Each document checked by its kind; one of each. */
function manifestsOf(documents: readonly unknown[], shapes: Readonly<Record<string, z.ZodType>> = SHAPES): Manifests {
  const found: Record<string, unknown> = {};
  for (const document of documents) {
    const { kind } = document as { kind: string };
    const shape = shapes[kind];
    if (!shape || kind in found) throw new Error(`not one manifest of the kind ${kind}`);
    found[kind] = shape.parse(document);
  }
  return found as Manifests;
}

/** The documents of the base as they are written, of whatever kind. */
export const baseDocuments = (): readonly unknown[] =>
  kustomizationOf('base').resources.flatMap((name) => yamlOf(read(join(FOLDER, 'base', name))));

/** The base as it is written. */
export const baseManifests = (): Manifests => manifestsOf(baseDocuments());

/** Not installed by a test: Debian's has a Kustomize (2.0) that knows neither `labels` nor `patches` with a path. */
export const hasKubectl = spawnSync('kubectl', ['version', '--client'], { stdio: 'ignore' }).status === 0;

/** What would be applied, by kubectl's own Kustomize; no cluster is asked. */
export const built = (folder: string): Manifests => manifestsOf(builtDocuments(folder));

/** The same of one that lets the gateway look for Services. */
export const builtWithRights = (folder: string) => manifestsOf(builtDocuments(folder), { ...SHAPES, ...RIGHTS }) as Manifests & Rights;

export function builtDocuments(folder: string): readonly unknown[] {
  const { status, stdout, stderr } = spawnSync('kubectl', ['kustomize', join(FOLDER, folder)], { cwd: ROOT, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return yamlOf(stdout);
}

/** A patch as it is written: part of a manifest. */
export const patchOf = (folder: string, name: string) =>
  yamlOf<{ kind: Kind; metadata: { name: string; namespace: string }; spec: Record<string, unknown> }>(read(join(FOLDER, folder, name)))[0];
