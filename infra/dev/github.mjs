// A GitHub on loopback for tests: the part of its API that Tollgate uses, over a model that tests fill and change. Each request
// and each answer is held to GitHub's published description; what does not fit is answered 500, and remembered.
//
// node github.mjs MODULES [--exit-with-stdin]
// MODULES is the directory `node_modules` with @octokit/openapi, @octokit/graphql-schema, graphql, ajv and ajv-formats. Prints one line of JSON when it listens:
// {"url": …, "app_id": …, "private_key": …}
//
// Every test has a world of its own, made by its first use: the API is at URL/NAME/api/v3, and what changes the world at
// URL/NAME/tollgate-dev/ACTION.

import { createHash, generateKeyPairSync, verify } from 'node:crypto';
import { createServer } from 'node:http';
import { Description } from './github/description.mjs';
import { GraphQL, change, details, follow } from './github/change.mjs';
import { git } from './github/git.mjs';

const [modules, ...options] = process.argv.slice(2);
const description = new Description(modules);
const graphql = new GraphQL(modules);
const APP_ID = 7001;
const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
const worlds = new Map();

class World {
  repositories = new Map();
  // Names that repositories had before, with what they are called now.
  renamed = new Map();
  tokens = new Map([['good-token', { payer: 'token' }]]);
  log = [];
  invalid = [];
  fault = null;
  // A part of the paths that have the fault; all have it without.
  fault_at = null;
  // At which of the requests to come the connection breaks, and whether before it is carried out or after: {at, when}.
  breaks = null;
  // Permissions that no token has, all of one or but that to write: `contents`, `contents:write`.
  denied = [];
  limit = 5000;
  spent = new Map();
  installed = true;
  issued = 0;

  repository(fullName) {
    const known = this.repositories.get(fullName.toLowerCase());
    if (known) return known;
    const made = {
      id: 1000 + this.repositories.size, full_name: fullName, branches: {}, commits: [], runs: [], jobs: [], pending: {},
      tags: [], releases: [], pulls: [], deployments: [], statuses: [], files: [], check_runs: [], reviews: [], pull_files: [], comments: [],
    };
    this.repositories.set(fullName.toLowerCase(), made);
    return made;
  }
}

// The few values that make an object GitHub's.
const web = (repository) => `https://github.com/${repository.full_name}`;
const user = (login) => ({ login, type: 'User' });
const owner = (repository) => user(repository.full_name.split('/')[0]);
const described = (repository) => ({
  id: repository.id, full_name: repository.full_name, name: repository.full_name.split('/')[1], owner: owner(repository),
  html_url: web(repository), default_branch: 'main', node_id: `R_${repository.id}`,
});
const run = (repository, one) => ({
  run_attempt: 1, event: 'push', status: 'queued', conclusion: null, path: '.github/workflows/build.yml', run_number: one.id,
  created_at: one.run_started_at ?? one.updated_at, display_title: one.name, workflow_id: 1,
  html_url: `${web(repository)}/actions/runs/${one.id}`,
  repository: described(repository),
  head_commit: { id: one.head_sha, message: 'x', timestamp: one.updated_at },
  ...one,
  head_repository: one.head_repository ? { ...described(repository), full_name: one.head_repository } : described(repository),
});
const job = (repository, one) => ({
  run_attempt: 1, status: 'queued', conclusion: null, labels: ['ubuntu-latest'], completed_at: null, created_at: one.started_at,
  html_url: `${web(repository)}/actions/runs/${one.run_id}/job/${one.id}`,
  ...one,
  steps: (one.steps ?? []).map((step, index) => ({ number: index + 1, started_at: one.started_at, completed_at: null, ...step })),
});
const commit = (repository, one) => ({
  sha: one.sha, html_url: `${web(repository)}/commit/${one.sha}`,
  author: one.login ? user(one.login) : null, committer: null,
  parents: one.parent ? [{ sha: one.parent }] : [],
  commit: {
    message: one.message, author: { name: one.author, email: 'a@example.com', date: one.authored ?? one.date },
    committer: { name: 'GitHub', email: 'noreply@github.com', date: one.date },
    tree: { sha: one.sha },
  },
});
// `brought`: its commits, of which the API answers that they are its.
const pull = (repository, { brought, ...one }) => ({
  state: one.merged_at ? 'closed' : 'open', merged_at: null, merge_commit_sha: null, closed_at: one.merged_at ?? null,
  author_association: 'MEMBER', html_url: `${web(repository)}/pull/${one.number}`, id: one.number, body: null, auto_merge: null, ...one,
  user: user(one.login ?? 'ada'),
  base: { ref: one.base ?? 'main', sha: one.base_sha ?? '0'.repeat(40), label: 'x', user: owner(repository), repo: described(repository) },
  head: { ref: one.head ?? 'topic', sha: one.head_sha ?? '0'.repeat(40), label: 'x', user: owner(repository), repo: described(repository) },
});
const deployment = (one) => ({ ref: 'main', task: 'deploy', payload: {}, original_environment: one.environment, ...one });
const release = (repository, one) => ({
  html_url: `${web(repository)}/releases/tag/${one.tag_name}`, target_commitish: 'main', name: one.tag_name, draft: false,
  prerelease: false, author: user('ada'), ...one,
});

// The operations: what permission each needs, and what it answers. `list` is the part of the body that has pages.
const get = {
  '/repos/{owner}/{repo}': ['metadata', (r) => {
    const allows = (method) => r.rules?.methods?.includes(method) ?? true;
    return { body: { ...described(r), allow_merge_commit: allows('merge'), allow_squash_merge: allows('squash'), allow_rebase_merge: allows('rebase') } };
  }],
  '/repos/{owner}/{repo}/commits': ['contents', (r, q) => {
    if (r.commits.length === 0) return { status: 409, body: error('Git Repository is empty.') };
    const from = q.get('sha') ?? 'main';
    const start = r.branches[from] ?? from;
    if (!r.commits.some((one) => one.sha === start)) return { status: 404, body: error('Not Found') };
    const path = q.get('path');
    const changed = (one) => !path || (one.files ?? []).some((file) => file === path || file.startsWith(`${path}/`));
    return { list: history(r, start).filter(changed).map((one) => commit(r, one)) };
  }],
  '/repos/{owner}/{repo}/commits/{commit_sha}/pulls': ['pull_requests', (r, q, p) => ({
    list: r.pulls.filter((one) => one.merge_commit_sha === p.commit_sha || one.brought?.includes(p.commit_sha))
      .map((one) => pull(r, one)),
  })],
  '/repos/{owner}/{repo}/commits/{ref}/check-runs': ['checks', (r, q, p) => ({
    list: r.check_runs.filter((one) => one.head_sha === p.ref), name: 'check_runs',
  })],
  '/repos/{owner}/{repo}/actions/runs': ['actions', (r, q) => {
    const fits = (one) => ['branch', 'head_sha', 'event', 'status'].every((name) => {
      const wanted = q.get(name);
      return !wanted || one[name === 'branch' ? 'head_branch' : name] === wanted;
    });
    const runs = [...r.runs].sort((left, right) => right.id - left.id).filter(fits);
    return { list: runs.map((one) => run(r, one)), name: 'workflow_runs' };
  }],
  '/repos/{owner}/{repo}/actions/runs/{run_id}': ['actions', (r, q, p) => {
    const one = r.runs.find((known) => known.id === Number(p.run_id));
    return one ? { body: run(r, one) } : { status: 404, body: error('Not Found') };
  }],
  '/repos/{owner}/{repo}/actions/runs/{run_id}/jobs': ['actions', (r, q, p) => {
    const one = r.runs.find((known) => known.id === Number(p.run_id));
    const latest = (known) => q.get('filter') === 'all' || (known.run_attempt ?? 1) === (one?.run_attempt ?? 1);
    const jobs = r.jobs.filter((known) => known.run_id === Number(p.run_id) && latest(known));
    return { list: jobs.map((known) => job(r, known)), name: 'jobs' };
  }],
  '/repos/{owner}/{repo}/actions/runs/{run_id}/pending_deployments': ['actions', (r, q, p) => ({
    body: (r.pending[p.run_id] ?? []).map((one) => ({ wait_timer: 0, current_user_can_approve: true, ...one })),
  })],
  '/repos/{owner}/{repo}/tags': ['contents', (r) => ({
    list: r.tags.map((one) => ({ name: one.name, commit: { sha: one.sha, url: `${web(r)}/commit/${one.sha}` } })),
  })],
  '/repos/{owner}/{repo}/releases': ['contents', (r) => ({ list: r.releases.map((one) => release(r, one)) })],
  '/repos/{owner}/{repo}/deployments': ['deployments', (r, q) => {
    const fits = (one) => ['sha', 'environment', 'task'].every((name) => !q.get(name) || deployment(one)[name] === q.get(name));
    return { list: [...r.deployments].sort((left, right) => right.id - left.id).filter(fits).map(deployment) };
  }],
  '/repos/{owner}/{repo}/deployments/{deployment_id}/statuses': ['deployments', (r, q, p) => ({
    list: r.statuses.filter((one) => one.deployment_id === Number(p.deployment_id)).sort((left, right) => right.id - left.id),
  })],
  '/repos/{owner}/{repo}/contents/{path}': ['contents', (r, q, p, accept) => {
    const branch = q.get('ref') ?? 'main';
    const commits = r.branches[branch] ? branch : Object.keys(r.branches).find((name) => r.branches[name] === branch);
    const files = r.files.filter((one) => (one.branch ?? 'main') === commits);
    const file = files.find((one) => one.path === p.path);
    if (file) {
      if (accept.includes('.raw')) return { raw: file.content };
      const content = Buffer.from(file.content);
      return { body: { ...entry(r, file, 'file'), encoding: 'base64', content: content.toString('base64') } };
    }
    const inside = files.filter((one) => one.path.startsWith(`${p.path}/`));
    if (inside.length === 0) return { status: 404, body: error('Not Found') };
    return { body: inside.map((one) => entry(r, one, 'file')) };
  }],
  '/repos/{owner}/{repo}/git/ref/{ref}': ['contents', (r, q, p) => {
    const sha = p.ref.startsWith('heads/') ? r.branches[p.ref.slice(6)] : r.tags.find((one) => `tags/${one.name}` === p.ref)?.sha;
    if (!sha) return { status: 404, body: error('Not Found') };
    return { body: { ref: `refs/${p.ref}`, object: { type: 'commit', sha } } };
  }],
  '/repos/{owner}/{repo}/pulls': ['pull_requests', (r, q) => {
    follow(r);
    const state = q.get('state') ?? 'open';
    const [, head] = (q.get('head') ?? '').split(':');
    const fits = (one) => (state === 'all' || one.state === state) && (!q.get('base') || one.base.ref === q.get('base'))
      && (!head || one.head.ref === head);
    return { list: r.pulls.map((one) => pull(r, one)).filter(fits).sort((left, right) => right.number - left.number) };
  }],
  '/repos/{owner}/{repo}/pulls/{pull_number}': ['pull_requests', (r, q, p) => {
    follow(r);
    const one = r.pulls.find((known) => known.number === Number(p.pull_number));
    return one ? { body: { ...pull(r, one), ...details(r, one) } } : { status: 404, body: error('Not Found') };
  }],
  '/repos/{owner}/{repo}/issues/{issue_number}/comments': ['issues', (r, q, p) => ({
    list: r.comments.filter((one) => one.number === Number(p.issue_number)),
  })],
  '/repos/{owner}/{repo}/pulls/{pull_number}/files': ['pull_requests', (r, q, p) => ({
    list: r.pull_files.filter((one) => one.number === Number(p.pull_number)).map(({ number, ...one }) => one),
  })],
  '/repos/{owner}/{repo}/pulls/{pull_number}/reviews': ['pull_requests', (r, q, p) => ({
    list: r.reviews.filter((one) => one.number === Number(p.pull_number)).map(({ number, ...one }) => one),
  })],
};

const error = (message) => ({ message, documentation_url: 'https://docs.github.com/rest', status: 'x' });

function entry(repository, file, type) {
  const sha = createHash('sha1').update(`blob ${Buffer.byteLength(file.content)}\0${file.content}`).digest('hex');
  return { type, name: file.path.split('/').pop(), path: file.path, sha, size: Buffer.byteLength(file.content), content: undefined };
}

// A branch's commits, newest first: each names its parent, or follows the one that was put before it.
function history(repository, sha) {
  const commits = [];
  for (let at = repository.commits.findIndex((one) => one.sha === sha); at >= 0;) {
    const one = repository.commits[at];
    const parent = one.parent ?? repository.commits[at - 1]?.sha;
    commits.push({ ...one, parent });
    at = parent ? repository.commits.findIndex((known) => known.sha === parent) : -1;
  }
  return commits;
}

// Webhooks of what the model holds, as GitHub would have sent them.
function webhooks(repository) {
  const common = { repository: described(repository), sender: user('ada') };
  const events = [];
  const add = (name, event, body) => {
    const full = description.fill(description.webhookSchema(name), { ...common, ...body });
    const wrong = description.wrongWebhook(event, full);
    if (wrong) throw new Error(`the webhook ${name} is not GitHub's: ${wrong}`);
    events.push({ event, body: full });
  };
  for (const [branch, head] of Object.entries(repository.branches)) {
    const commits = history(repository, head).reverse().map((one) => ({
      id: one.sha, message: one.message, timestamp: one.date, url: `${web(repository)}/commit/${one.sha}`, distinct: true,
      author: { name: one.author, email: 'a@example.com', username: one.login }, committer: { name: 'GitHub', email: null },
      tree_id: one.sha, added: [], modified: [], removed: [],
    }));
    add('push', 'push', { ref: `refs/heads/${branch}`, before: '0'.repeat(40), after: head, commits, head_commit: commits.at(-1) });
  }
  for (const one of repository.tags) {
    const head = { id: one.sha, message: 'x', timestamp: '2026-11-21T10:00:00Z', url: 'https://x.example', distinct: true, tree_id: one.sha };
    head.author = head.committer = { name: 'Ada', email: null };
    add('push', 'push', { ref: `refs/tags/${one.name}`, before: '0'.repeat(40), after: one.sha, commits: [], head_commit: head });
  }
  const words = { completed: 'completed', in_progress: 'in-progress', queued: 'queued', waiting: 'waiting' };
  for (const one of repository.runs) {
    const word = one.status === 'completed' ? 'completed' : one.status === 'in_progress' ? 'in-progress' : 'requested';
    add(`workflow-run-${word}`, 'workflow_run', { action: word.replace('-', '_'), workflow_run: run(repository, one) });
  }
  for (const one of repository.jobs) {
    const word = words[one.status];
    add(`workflow-job-${word}`, 'workflow_job', { action: word.replace('-', '_'), workflow_job: job(repository, one) });
  }
  for (const one of repository.pulls.filter((known) => known.merged_at)) {
    const merged = { ...pull(repository, one), merged: true, active_lock_reason: null };
    add('pull-request-closed', 'pull_request', { action: 'closed', number: one.number, pull_request: merged });
  }
  for (const one of repository.statuses) {
    const of = repository.deployments.find((known) => known.id === one.deployment_id);
    const status = { ...one, creator: user('ada'), deployment_id: undefined };
    add('deployment-status-created', 'deployment_status', { action: 'created', deployment: deployment(of), deployment_status: status });
  }
  return events;
}

// What tests do to a world.
const actions = {
  // {"repository": "acme/shop", "runs": [{"id": 1, …}], …}: adds each, or takes the place of the one with the same id; objects are merged.
  put(world, { repository: name, ...parts }) {
    const repository = world.repository(name);
    const key = (one) => one.id ?? one.sha ?? one.number ?? one.name ?? `${one.branch}:${one.path}`;
    for (const [part, values] of Object.entries(parts)) {
      if (!Array.isArray(values)) {
        repository[part] = { ...repository[part], ...values };
        continue;
      }
      for (const value of values) {
        const at = repository[part].findIndex((known) => key(known) === key(value));
        if (at < 0) repository[part].push(value);
        else repository[part][at] = { ...repository[part][at], ...value };
      }
    }
    return {};
  },
  remove(world, { repository: name, part, id }) {
    const repository = world.repository(name);
    repository[part] = repository[part].filter((one) => ![one.id, one.name, one.sha].includes(id));
    return {};
  },
  rename(world, { from, to }) {
    const repository = world.repository(from);
    repository.full_name = to;
    world.repositories.set(to.toLowerCase(), repository);
    world.repositories.delete(from.toLowerCase());
    world.renamed.set(from.toLowerCase(), repository);
    return {};
  },
  // {"fault_at": "/compare", "fault": "down" | "slow" | "garbage" | "huge" | "elsewhere" | "secondary" | null, "denied": ["actions"],
  // "limit": 60, "spent": 59, "installed": …, "breaks": {"at": 3, "when": "before" | "after"}}
  behave(world, { spent, ...changes }) {
    Object.assign(world, changes);
    if (spent !== undefined) world.spent = new Map([...world.tokens.values()].map(({ payer }) => [payer, spent]));
    return {};
  },
  // Ends all tokens of installations before their time, and lets these be good.
  tokens(world, { good }) {
    world.tokens = new Map(good.map((token) => [token, { payer: token }]));
    return {};
  },
  // What was asked since this was last called, and what of it, or of the answers, was not GitHub's.
  log(world) {
    const { log, invalid } = world;
    world.log = [];
    return { log, invalid };
  },
  // What there is of a repository now, as the model has it.
  state(world, { repository: name }) {
    const repository = world.repository(name);
    if (repository.git) follow(repository);
    return repository;
  },
  webhooks: (world, { repository }) => webhooks(world.repository(repository)),
};

// Who asks: `{ payer }`, or a refusal.
function authenticate(world, request, template) {
  const token = /^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1];
  const wantsApp = ['/repos/{owner}/{repo}/installation', '/app/installations/{installation_id}/access_tokens'].includes(template);
  if (!token) return wantsApp ? { refused: 'A JSON web token could not be decoded' } : { payer: 'anonymous' };
  if (wantsApp) return isSigned(token) ? { payer: 'app' } : { refused: 'A JSON web token could not be decoded' };
  return world.tokens.get(token) ?? { refused: 'Bad credentials' };
}

// Whether a token is the App's own (GitHub, "Generating a JSON Web Token for a GitHub App").
function isSigned(token) {
  const [head, claims, signature] = token.split('.');
  if (!signature) return false;
  const { alg } = JSON.parse(Buffer.from(head, 'base64url'));
  const { iat, exp, iss } = JSON.parse(Buffer.from(claims, 'base64url'));
  const now = Date.now() / 1000;
  const signed = verify('sha256', Buffer.from(`${head}.${claims}`), keys.publicKey, Buffer.from(signature, 'base64url'));
  return signed && alg === 'RS256' && String(iss) === String(APP_ID) && iat <= now && exp > now && exp - now <= 600;
}

async function answer(world, request, url, path, found, body) {
  const who = authenticate(world, request, found.template);
  if (who.refused) return { status: 401, body: error(who.refused) };
  const limit = who.payer === 'anonymous' ? 60 : world.limit;
  const spent = world.spent.get(who.payer) ?? 0;
  const reset = Math.floor(Date.now() / 1000) + 1800;
  const limits = (remaining) => ({ 'x-ratelimit-limit': limit, 'x-ratelimit-remaining': remaining, 'x-ratelimit-reset': reset });
  if (spent >= limit) {
    return { status: 403, body: error('API rate limit exceeded for installation.'), headers: limits(0) };
  }
  if (world.fault === 'secondary') {
    return { status: 403, body: error('You have exceeded a secondary rate limit.'), headers: limits(limit - spent) };
  }
  const made = await operate(world, request, url, path, found, who, body);
  if (made.status !== 304) world.spent.set(who.payer, spent + 1);
  const remaining = limit - (world.spent.get(who.payer) ?? 0);
  return { ...made, headers: { ...limits(remaining), ...made.headers } };
}

async function operate(world, request, url, path, found, who, sent) {
  const { template, parameters } = found;
  if (template === GRAPHQL) {
    return { status: 200, unchecked: true, ...await graphql.execute(JSON.parse(sent), [...world.repositories.values()], world.denied) };
  }
  if (template === '/app/installations/{installation_id}/access_tokens') {
    if (!world.installed) return { status: 404, body: error('Not Found') };
    const token = `ghs_${parameters.installation_id}_${(world.issued += 1)}`;
    world.tokens.set(token, { payer: `installation ${parameters.installation_id}` });
    const lasts = world.lasts ?? 3600;
    return { status: 201, body: { token, expires_at: new Date(Date.now() + lasts * 1000).toISOString(), permissions: {} } };
  }
  const name = `${parameters.owner}/${parameters.repo}`;
  const repository = world.repositories.get(name.toLowerCase());
  if (!repository) {
    const renamed = world.renamed.get(name.toLowerCase());
    if (!renamed) return { status: 404, body: error('Not Found') };
    const rest = path.slice(`/repos/${name}`.length);
    const location = `${url}/repositories/${renamed.id}${rest}${new URL(request.url, 'http://x').search}`;
    const status = request.method === 'GET' ? 301 : 307;
    return { status, body: { message: 'Moved Permanently', url: location }, headers: { location }, unchecked: true };
  }
  if (template === '/repos/{owner}/{repo}/installation') {
    if (!world.installed) return { status: 404, body: error('Not Found') };
    return { status: 200, body: { id: 42, account: owner(repository), app_id: APP_ID, repository_selection: 'all' } };
  }
  const changes = request.method !== 'GET';
  const [permission, make] = changes ? change[`${request.method} ${template}`] : (repository.git && git[template]) || get[template];
  if (world.denied.includes(permission) || (changes && world.denied.includes(`${permission}:write`))) {
    const headers = { 'x-accepted-github-permissions': `${permission}=${changes ? 'write' : 'read'}` };
    return { status: 403, body: error('Resource not accessible by integration'), headers };
  }
  if (changes) return make(repository, JSON.parse(sent), parameters, pull);
  const query = new URL(request.url, 'http://x').searchParams;
  const made = make(repository, query, parameters, request.headers.accept);
  if (made.status) return made;
  if (made.raw !== undefined) return conditional(request, who, { status: 200, raw: made.raw });
  if (!made.list) return conditional(request, who, { status: 200, body: made.body });
  const size = Math.min(Number(query.get('per_page') ?? 30), 100);
  const page = Number(query.get('page') ?? 1);
  const slice = made.list.slice((page - 1) * size, page * size);
  const headers = {};
  if (page * size < made.list.length) {
    query.set('page', page + 1);
    const last = Math.ceil(made.list.length / size);
    const link = (number) => `<${url}${path}?${new URLSearchParams({ ...Object.fromEntries(query), page: number })}>`;
    headers.link = `${link(page + 1)}; rel="next", ${link(last)}; rel="last"`;
  }
  const body = made.name ? { total_count: made.list.length, [made.name]: slice } : slice;
  return conditional(request, who, { status: 200, body, headers });
}

// Validators are of a payer's token, as GitHub's are.
function conditional(request, who, made) {
  const content = `${request.headers.authorization}${request.headers.accept}${made.raw ?? JSON.stringify(made.body)}`;
  const etag = `W/"${createHash('sha256').update(content).digest('hex')}"`;
  const headers = { ...made.headers, etag };
  return request.headers['if-none-match'] === etag ? { status: 304, headers: { etag } } : { ...made, headers };
}

async function serve(request, response) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  const [, name, ...rest] = request.url.split('?')[0].split('/');
  const world = worlds.get(name) ?? new World();
  worlds.set(name, world);
  const send = (status, headers, body) => {
    response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
    response.end(body);
  };
  if (rest[0] === 'tollgate-dev') {
    const result = actions[rest[1]](world, JSON.parse(text || '{}'));
    return send(200, {}, JSON.stringify(result));
  }
  const url = `${address}/${name}/api/v3`;
  let path = `/${rest.slice(2).join('/')}`;
  const isGraphql = rest.join('/') === 'api/graphql';
  if (isGraphql) path = GRAPHQL;
  const { authorization: token, 'if-none-match': etag } = request.headers;
  const entry = { method: request.method, path: isGraphql ? path : request.url.slice(name.length + 8), status: 0, token, conditional: etag !== undefined };
  world.log.push(entry);
  const breaks = world.breaks && (world.breaks.at -= 1) === 0 ? world.breaks.when : undefined;
  const done = (status, headers, body) => {
    entry.status = status;
    if (breaks === 'after') return request.socket.destroy();
    return send(status, headers, body);
  };
  if (breaks === 'before') return request.socket.destroy();
  const isAt = !world.fault_at || path.includes(world.fault_at);
  switch (isAt && world.fault) {
    case 'down': return request.socket.destroy();
    case 'slow': return undefined;
    case 'garbage': return done(200, { 'content-type': 'text/html', etag: '"garbage"' }, '<html>Please sign in</html>');
    case 'huge': return done(200, {}, Buffer.alloc(21 << 20, ' '));
    case 'elsewhere': return done(302, { location: `http://localhost:1${path}` }, '');
    default:
  }
  // What a renamed repository is reached by.
  const byId = /^\/repositories\/(\d+)(\/.*)?$/.exec(path);
  if (byId) {
    const repository = [...world.repositories.values()].find((one) => one.id === Number(byId[1]));
    path = `/repos/${repository.full_name}${byId[2] ?? ''}`;
  }
  const found = isGraphql ? { template: GRAPHQL } : description.find(request.method, path);
  const known = (template) => (request.method === 'GET' ? get[template] || git[template] : change[`${request.method} ${template}`]);
  const isServed = found && (isGraphql || known(found.template) || authenticated(found.template));
  const refuse = (what) => {
    world.invalid.push(`${request.method} ${request.url}: ${what}`);
    done(500, {}, JSON.stringify(error(what)));
  };
  if (!isServed) return refuse('there is no such operation here');
  const query = new URL(request.url, 'http://x').searchParams;
  const wrong = !isGraphql && description.wrongRequest(found, query, request.headers, text ? JSON.parse(text) : undefined);
  if (wrong) return refuse(`the request does not fit GitHub's description: ${wrong}`);
  const made = await answer(world, request, url, path, found, text);
  if (made.invalid) return refuse(`the query does not fit GitHub's schema: ${made.invalid}`);
  if (made.raw !== undefined && made.status === 200) return done(200, { ...made.headers, 'content-type': 'text/plain' }, made.raw);
  if (made.status === 304) return done(304, made.headers, undefined);
  const good = made.status < 300;
  const body = good && !made.unchecked ? description.fill(description.answerSchema(found), made.body) : made.body;
  const off = made.unchecked ? undefined : description.wrongAnswer(found, made.status, body);
  if (off) return refuse(`the answer does not fit GitHub's description: ${off}`);
  return done(made.status, made.headers ?? {}, JSON.stringify(body));
}

const GRAPHQL = '/graphql';
const authenticated = (template) => template.endsWith('/installation') || template.endsWith('/access_tokens');

const server = createServer((request, response) => {
  serve(request, response).catch((problem) => {
    const world = worlds.get(request.url.split('/')[1]);
    world?.invalid.push(`${request.method} ${request.url}: ${problem.stack}`);
    response.writeHead(500).end(JSON.stringify(error(problem.message)));
  });
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const address = `http://127.0.0.1:${server.address().port}`;

if (options.includes('--exit-with-stdin')) {
  process.stdin.resume();
  process.stdin.on('end', () => process.exit());
}
const private_key = keys.privateKey.export({ type: 'pkcs1', format: 'pem' });
process.stdout.write(`${JSON.stringify({ url: address, app_id: APP_ID, private_key })}\n`);
