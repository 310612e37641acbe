// The function of the edge, held to the cases that the server is held to.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { createContext, runInContext } from 'node:vm';

const read = (name) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
const source = read('viewer-request.js');
const { root_files: rootFiles, cases } = JSON.parse(read('paths.json'));

// A context of its own holds the language and nothing of Node, as the edge does.
const edge = createContext({});
runInContext(source, edge);
const rootFilesOfFunction = runInContext('JSON.stringify(ROOT_FILES)', edge);

function answer(uri) {
  const event = {
    version: '1.0',
    context: { eventType: 'viewer-request' },
    viewer: { ip: '192.0.2.1' },
    request: { method: 'GET', uri, querystring: { a: { value: '1' } }, headers: {}, cookies: {} },
  };
  return runInContext(`handler(${JSON.stringify(event)})`, edge);
}

for (const { path, is, file } of cases) {
  test(`${path} is ${is}`, () => {
    const answered = answer(path);
    if (is === 'api') {
      assert.equal(answered.statusCode, 404);
      assert.equal(answered.headers['cache-control'].value, 'no-store');
      assert.match(answered.headers['content-type'].value, /^text\/plain/);
      assert.equal(answered.headers['x-content-type-options'].value, 'nosniff');
    } else {
      assert.equal(answered.statusCode, undefined);
      assert.equal(answered.uri, file);
      assert.equal(answered.querystring.a.value, '1');
    }
  });
}

test('the root files are those of the cases', () => {
  assert.deepEqual(JSON.parse(rootFilesOfFunction), rootFiles);
});

test('nothing outside of the shell, the root files and pkg/ is ever asked of the bucket', () => {
  const known = new Set(['/index.html', ...rootFiles.map((name) => `/${name}`)]);
  const pieces = ['/', '//', 'pkg', 'pkg/', 'releases', 'releases/', '.', '..', '%2f', 'index.html', 'release.json', 'a'];
  for (const one of pieces) {
    for (const two of pieces) {
      for (const three of pieces) {
        const { uri } = answer(`/${one}${two}${three}`);
        assert.ok(known.has(uri) || uri.startsWith('/pkg/'), `/${one}${two}${three} became ${uri}`);
      }
    }
  }
});

test('the function fits into what the edge takes', () => {
  assert.ok(Buffer.byteLength(source) <= 10 * 1024, `${Buffer.byteLength(source)} bytes`);
  assert.doesNotMatch(source, /^\s*(import|export)\b/m);
});
