// What a path asks for, decided at the edge as the server decides it (`target` in server/src/http/site.rs). Both are held to the
// cases of paths.json.

// The files that lie beside the shell. The names under pkg/ change with each release; these do not.
const ROOT_FILES = ['favicon.svg', 'manifest.json', 'release.json'];

function handler(event) {
  const request = event.request;
  const path = request.uri.replace(/^\/+/, '');
  if (path === 'api' || path.startsWith('api/')) {
    // The API has a behaviour of its own. What comes here is spelled so that no endpoint answers to it. The answer brings its own
    // headers: it has no origin whose answer the distribution's would be added to.
    return {
      statusCode: 404,
      statusDescription: 'Not Found',
      headers: {
        'cache-control': { value: 'no-store' },
        'content-type': { value: 'text/plain; charset=utf-8' },
        'x-content-type-options': { value: 'nosniff' },
      },
      body: 'There is no such endpoint in this version.\n',
    };
  }
  // A file of a release is there, or 404: the shell under its name would be kept for a year.
  const isFile = path.startsWith('pkg/') || ROOT_FILES.includes(path);
  // Any other path is a page of the console, which may hold dots. What else lies in the bucket has no path at all.
  request.uri = isFile ? '/' + path : '/index.html';
  return request;
}
