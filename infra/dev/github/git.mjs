// What GitHub answers of a repository's contents, out of a repository on disk by the git program: for repositories of which a test says
// where they are (`put` with {"git": {"path": …}}). The values that GitHub's description asks for beside these are made up.

import { execFileSync } from 'node:child_process';

export const error = (message) => ({ message, documentation_url: 'https://docs.github.com/rest', status: 'x' });
const missing = { status: 404, body: error('Not Found') };

// What git prints, or `undefined` where it refuses.
function run(repository, ...parameters) {
  try {
    const options = { cwd: repository.git.path, maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] };
    return execFileSync('git', parameters, options);
  } catch {
    return undefined;
  }
}

export const text = (repository, ...parameters) => run(repository, ...parameters)?.toString().trim();
const lines = (printed) => (printed ? printed.split('\n') : []);

const FORMAT = '%H%n%P%n%an%n%aI%n%cI%n%B';

function commits(repository, ...parameters) {
  const printed = run(repository, 'log', '-z', `--format=${FORMAT}`, ...parameters)?.toString();
  return printed?.split('\0').filter(Boolean).map((one) => {
    const [sha, parents, author, authored, committed, ...message] = one.split('\n');
    return {
      sha, html_url: `https://github.com/${repository.full_name}/commit/${sha}`, author: null, committer: null,
      parents: parents.split(' ').filter(Boolean).map((parent) => ({ sha: parent })),
      commit: {
        message: message.join('\n').trimEnd(), tree: { sha },
        author: { name: author, email: 'a@example.com', date: authored },
        committer: { name: 'GitHub', email: 'noreply@github.com', date: committed },
      },
    };
  });
}

const WORDS = { A: 'added', M: 'modified', D: 'removed', R: 'renamed', T: 'changed' };

export const git = {
  '/repos/{owner}/{repo}/git/commits/{commit_sha}': ['contents', (r, q, p) => {
    const [one] = commits(r, '-1', p.commit_sha) ?? [];
    return one ? { body: { ...one.commit, sha: one.sha, parents: one.parents.map((parent) => ({ ...parent, html_url: one.html_url })) } } : missing;
  }],
  '/repos/{owner}/{repo}/git/ref/{ref}': ['contents', (r, q, p) => {
    const sha = text(r, 'rev-parse', '--verify', `refs/${p.ref}`);
    if (sha) return { body: { ref: `refs/${p.ref}`, object: { type: 'commit', sha } } };
    return text(r, 'for-each-ref') ? missing : { status: 409, body: error('Git Repository is empty.') };
  }],
  '/repos/{owner}/{repo}/commits': ['contents', (r, q) => {
    const list = commits(r, q.get('sha') ?? 'main', '--', ...(q.has('path') ? [q.get('path')] : []));
    return list ? { list } : missing;
  }],
  '/repos/{owner}/{repo}/compare/{basehead}': ['contents', (r, q, p) => {
    const [base, head] = p.basehead.split('...');
    const ancestor = text(r, 'merge-base', base, head);
    if (!ancestor) return missing;
    const all = commits(r, `${base}..${head}`);
    const behind = Number(text(r, 'rev-list', '--count', `${head}..${base}`));
    const files = lines(text(r, 'diff', '--name-status', '--find-renames', ancestor, head)).map((line) => {
      const [word, first, second] = line.split('\t');
      const of = second ?? first;
      const sha = text(r, 'rev-parse', '--verify', `${head}:${of}`) ?? '0'.repeat(40);
      return { sha, status: WORDS[word[0]], filename: of, previous_filename: second && first, additions: 1, deletions: 1, changes: 2 };
    });
    const size = Number(q.get('per_page') ?? 250);
    return {
      body: {
        base_commit: commits(r, '-1', base)[0], merge_base_commit: commits(r, '-1', ancestor)[0],
        status: behind ? (all.length ? 'diverged' : 'behind') : (all.length ? 'ahead' : 'identical'),
        ahead_by: all.length, behind_by: behind, total_commits: all.length, commits: all.slice(0, size), files: files.slice(0, 300),
      },
    };
  }],
  '/repos/{owner}/{repo}/git/trees/{tree_sha}': ['contents', (r, q, p) => {
    const printed = text(r, 'ls-tree', '-z', '-t', ...(q.has('recursive') ? ['-r'] : []), p.tree_sha);
    if (printed === undefined) return missing;
    const tree = printed.split('\0').filter(Boolean).map((line) => {
      const [, mode, type, sha, path] = /^(\d+) (\w+) (\w+)\t(.*)$/s.exec(line);
      return { mode, type, sha, path };
    });
    return { body: { sha: p.tree_sha, tree, truncated: false } };
  }],
  '/repos/{owner}/{repo}/contents/{path}': ['contents', (r, q, p) => {
    const found = text(r, 'ls-tree', '-z', '--long', q.get('ref') ?? 'main', '--', p.path);
    const match = /^(\d+) (\w+) (\w+) +(\S+)\t/.exec(found ?? '');
    if (!match) return missing;
    const [, mode, kind, sha, size] = match;
    const common = { name: p.path.split('/').pop(), path: p.path, sha, size: Number(size) || 0 };
    if (kind === 'tree') {
      const names = lines(text(r, 'ls-tree', '--name-only', `${q.get('ref') ?? 'main'}:${p.path}`));
      return { body: names.map((name) => ({ type: 'file', name, path: `${p.path}/${name}`, sha, size: 1 })) };
    }
    const contents = run(r, 'cat-file', 'blob', sha);
    if (mode === '120000') return { body: { ...common, type: 'symlink', target: contents.toString() } };
    if (common.size > 1 << 20) return { body: { ...common, type: 'file', encoding: 'none', content: '' } };
    const content = contents.toString('base64').replace(/.{60}/g, '$&\n');
    return { body: { ...common, type: 'file', encoding: 'base64', content: `${content}\n` } };
  }],
};
