// What changes something on GitHub, carried out by the git program in a repository on disk (see git.mjs): branches, commits and pull
// requests, with what GitHub does by itself to a pull request whose branch moves.

import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { error, text } from './git.mjs';

const NOTHING = '0'.repeat(40);
const ENV = {
  GIT_AUTHOR_NAME: 'a-token[bot]', GIT_AUTHOR_EMAIL: 'bot@users.noreply.github.com', GIT_COMMITTER_NAME: 'GitHub',
  GIT_COMMITTER_EMAIL: 'noreply@github.com', GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1',
};

const missing = { status: 404, body: error('Not Found') };
// What is wrong with a request that is well formed.
const invalid = (message) => ({
  status: 422, body: { ...error('Validation Failed'), errors: [{ resource: 'x', field: 'x', code: 'custom', message }] },
});

// What git prints; where it refuses, the request fails.
function write(repository, { env, input }, ...parameters) {
  const options = { cwd: repository.git.path, env: { ...process.env, ...ENV, ...env }, input, stdio: ['pipe', 'pipe', 'pipe'] };
  return execFileSync('git', parameters, options).toString().trim();
}

const tip = (repository, branch) => text(repository, 'rev-parse', '--verify', '--quiet', `refs/heads/${branch}`);

// Pull requests that follow their branches: GitHub closes one whose branch is gone, or has nothing that the base has not.
export function follow(repository) {
  for (const one of repository.pulls.filter((known) => known.follows && known.state !== 'closed' && !known.merged_at)) {
    const [head, base] = [tip(repository, one.head), tip(repository, one.base)];
    one.base_sha = base ?? one.base_sha;
    one.head_sha = head ?? one.head_sha;
    const empty = !head || text(repository, 'rev-list', '--count', `${base}..${head}`) === '0';
    if (empty) Object.assign(one, { state: 'closed', closed_at: new Date().toISOString() });
  }
}

const found = (repository, parameters) => repository.pulls.find((one) => one.number === Number(parameters.pull_number ?? parameters.issue_number));

// The tree of a merge, or `undefined` where there are conflicts.
const merge = (repository, one) => text(repository, 'merge-tree', '--write-tree', tip(repository, one.base), one.head_sha);

// What GitHub says of merging: `mergeable_state` and why not.
function mergeable(repository, one) {
  const { rules = {} } = repository;
  if (!merge(repository, one)) return ['dirty', 'Pull Request is not mergeable'];
  const behind = text(repository, 'rev-list', '--count', `${one.head_sha}..${tip(repository, one.base)}`) !== '0';
  if (rules.up_to_date && behind) return ['behind', 'Head branch is out of date'];
  if (rules.review) return ['blocked', 'At least 1 approving review is required by reviewers with write access.'];
  return ['clean'];
}

export const details = (repository, one) => {
  if (!one.follows) return {};
  const [state] = mergeable(repository, one);
  return { mergeable: state !== 'dirty', mergeable_state: state, merged: Boolean(one.merged_at) };
};

// The operations: what permission each needs, and what it does.
export const change = {
  'POST /repos/{owner}/{repo}/git/refs': ['contents', (r, body) => {
    const branch = body.ref.replace(/^refs\/heads\//, '');
    if (!text(r, 'rev-parse', '--verify', '--quiet', `${body.sha}^{commit}`)) return { status: 422, body: error('Object does not exist') };
    if (tip(r, branch)) return { status: 422, body: error('Reference already exists') };
    write(r, {}, 'update-ref', body.ref, body.sha, NOTHING);
    return { status: 201, body: { ref: body.ref, object: { type: 'commit', sha: body.sha } } };
  }],
  'POST /repos/{owner}/{repo}/pulls': ['pull_requests', (r, body, p, pull) => {
    follow(r);
    const head = tip(r, body.head);
    if (!head || !tip(r, body.base)) return invalid('head invalid');
    if (r.pulls.some((one) => one.follows && one.head === body.head && one.state !== 'closed')) {
      return invalid(`A pull request already exists for ${p.owner}:${body.head}.`);
    }
    if (text(r, 'rev-list', '--count', `${body.base}..${head}`) === '0') return invalid(`No commits between ${body.base} and ${body.head}`);
    const number = 1 + Math.max(0, ...r.pulls.map((one) => one.number));
    const one = { number, title: body.title, body: body.body, head: body.head, base: body.base, follows: true, labels: [], requested_reviewers: [], requested_teams: [], head_sha: head };
    r.pulls.push(one);
    return { status: 201, body: pull(r, one) };
  }],
  'PATCH /repos/{owner}/{repo}/pulls/{pull_number}': ['pull_requests', (r, body, p, pull) => {
    const one = found(r, p);
    if (!one) return missing;
    Object.assign(one, body, body.state === 'closed' && { closed_at: new Date().toISOString() });
    return { status: 200, body: pull(r, one) };
  }],
  'PUT /repos/{owner}/{repo}/pulls/{pull_number}/merge': ['contents', (r, body, p) => {
    follow(r);
    const one = found(r, p);
    if (!one) return missing;
    const refused = (status, message) => ({ status, body: { message, documentation_url: 'https://docs.github.com/rest' } });
    if (one.state === 'closed') return refused(405, 'Pull Request is not mergeable');
    if (body.sha && body.sha !== one.head_sha) return refused(409, 'Head branch was modified. Review and try the merge again.');
    if (r.rules?.methods && !r.rules.methods.includes(body.merge_method ?? 'merge')) return refused(405, 'Merge commits are not allowed on this repository.');
    const [, why] = mergeable(r, one);
    if (why) return refused(405, why);
    const base = tip(r, one.base);
    const message = `Merge pull request #${one.number} from ${p.owner}/${one.head}\n\n${one.title}`;
    const parents = body.merge_method === 'squash' ? ['-p', base] : ['-p', base, '-p', one.head_sha];
    const sha = write(r, { input: message }, 'commit-tree', merge(r, one), ...parents);
    write(r, {}, 'update-ref', `refs/heads/${one.base}`, sha, base);
    const now = new Date().toISOString();
    Object.assign(one, { state: 'closed', merged_at: now, closed_at: now, merge_commit_sha: sha });
    return { status: 200, body: { sha, merged: true, message: 'Pull Request successfully merged' } };
  }],
  'POST /repos/{owner}/{repo}/issues/{issue_number}/labels': ['issues', (r, body, p) => {
    const one = found(r, p);
    if (!one) return missing;
    const all = [...new Set([...one.labels.map((label) => label.name), ...body.labels])];
    one.labels = all.map((name) => ({ name }));
    return { status: 200, body: one.labels };
  }],
  'POST /repos/{owner}/{repo}/pulls/{pull_number}/requested_reviewers': ['pull_requests', (r, body, p, pull) => {
    const one = found(r, p);
    if (!one) return missing;
    const { collaborators = ['grace'], teams = ['ops'] } = r.rules ?? {};
    const strangers = [(body.reviewers ?? []).some((who) => !collaborators.includes(who)), (body.team_reviewers ?? []).some((who) => !teams.includes(who))];
    if (strangers.includes(true)) return { status: 422, body: error('Reviews may only be requested from collaborators. One or more of the users or teams you specified is not a collaborator of the repository.') };
    for (const login of body.reviewers ?? []) one.requested_reviewers.push({ login });
    for (const slug of body.team_reviewers ?? []) one.requested_teams.push({ slug });
    return { status: 201, body: pull(r, one) };
  }],
  'POST /repos/{owner}/{repo}/issues/{issue_number}/comments': ['issues', (r, body, p) => {
    const one = { id: 1 + r.comments.length, number: Number(p.issue_number), body: body.body };
    r.comments.push(one);
    return { status: 201, body: one };
  }],
  'POST /repos/{owner}/{repo}/deployments': ['deployments', (r, body) => {
    const now = new Date().toISOString();
    const one = { id: 1 + r.deployments.length, sha: body.ref, ...body, original_environment: body.environment, created_at: now, updated_at: now };
    r.deployments.push(one);
    return { status: 201, body: one };
  }],
  'POST /repos/{owner}/{repo}/deployments/{deployment_id}/statuses': ['deployments', (r, body, p) => {
    if (!r.deployments.some((one) => one.id === Number(p.deployment_id))) return missing;
    const now = new Date().toISOString();
    const one = { id: 1 + r.statuses.length, deployment_id: Number(p.deployment_id), ...body, created_at: now, updated_at: now };
    r.statuses.push(one);
    return { status: 201, body: one };
  }],
};

// A failure of a mutation, with GitHub's kind of it.
class Failure extends Error {
  constructor(type, message) {
    super(message);
    this.type = type;
  }
}

const mutations = (repositories, denied) => {
  const repository = (fits) => {
    const one = repositories.find(fits);
    if (!one) throw new Failure('NOT_FOUND', 'Could not resolve to a Repository.');
    if (denied.includes('contents') || denied.includes('contents:write')) {
      throw new Failure('FORBIDDEN', 'Resource not accessible by integration');
    }
    return one;
  };
  return {
    createCommitOnBranch({ input: { branch, expectedHeadOid, message, fileChanges } }) {
      const r = repository((one) => one.full_name === branch.repositoryNameWithOwner);
      const head = tip(r, branch.branchName);
      if (!head) throw new Failure('NOT_FOUND', `No ref found for branch ${branch.branchName}`);
      if (head !== expectedHeadOid) {
        throw new Failure('STALE_DATA', `Expected branch to point to "${expectedHeadOid}" but it did not. Pull and try again.`);
      }
      const env = { GIT_INDEX_FILE: join(r.git.path, `index-${process.hrtime.bigint()}`) };
      write(r, { env }, 'read-tree', head);
      for (const { path, contents } of fileChanges.additions ?? []) {
        const blob = write(r, { input: Buffer.from(contents, 'base64') }, 'hash-object', '-w', '--stdin');
        const mode = /^\d+/.exec(text(r, 'ls-tree', head, '--', path) ?? '')?.[0] ?? '100644';
        write(r, { env }, 'update-index', '--add', '--cacheinfo', `${mode},${blob},${path}`);
      }
      const tree = write(r, { env }, 'write-tree');
      execFileSync('rm', ['-f', env.GIT_INDEX_FILE]);
      const oid = write(r, { input: `${message.headline}\n\n${message.body ?? ''}` }, 'commit-tree', tree, '-p', head);
      write(r, {}, 'update-ref', `refs/heads/${branch.branchName}`, oid, head);
      follow(r);
      return { commit: { oid } };
    },
    updateRefs({ input: { repositoryId, refUpdates, clientMutationId } }) {
      const r = repository((one) => one.git && `R_${one.id}` === repositoryId);
      const lines = refUpdates.map(({ name, beforeOid, afterOid }) => `update ${name} ${afterOid} ${beforeOid ?? ''}\n`);
      try {
        write(r, { input: lines.join('') }, 'update-ref', '--stdin');
      } catch (problem) {
        throw new Failure('UNPROCESSABLE', `A reference is not where it was expected: ${problem.stderr}`);
      }
      follow(r);
      return { clientMutationId };
    },
  };
};

// Executes GraphQL by GitHub's published schema: `{ body }`, or `{ invalid }` where a query is not GitHub's.
export class GraphQL {
  constructor(modules) {
    this.modules = modules;
  }

  async execute({ query, variables }, repositories, denied) {
    const require = createRequire(join(this.modules, 'x.js'));
    const { buildSchema, graphql } = require('graphql');
    const file = join(this.modules, '@octokit/graphql-schema/schema.graphql');
    // The schema as published defines a field of an enterprise twice; queries are held to it all the same.
    this.schema ??= buildSchema(readFileSync(file, 'utf8'), { assumeValid: true });
    const rootValue = mutations(repositories, denied);
    const { data, errors } = await graphql({ schema: this.schema, source: query, variableValues: variables, rootValue });
    const wrong = errors?.find((one) => !(one.originalError instanceof Failure));
    if (wrong) return { invalid: wrong.message };
    return { body: { data, errors: errors?.map((one) => ({ type: one.originalError.type, path: one.path, message: one.message })) } };
  }
}
