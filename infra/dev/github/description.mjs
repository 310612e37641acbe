// GitHub's published description of its API and webhooks (OpenAPI 3.0): finds the operation of a request, says what is wrong with a
// request, an answer or a webhook, and makes valid objects of a few values.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

export class Description {
  constructor(modules) {
    const require = createRequire(join(modules, 'x.js'));
    const Ajv = require('ajv').default;
    const addFormats = require('ajv-formats').default;
    const file = join(modules, '@octokit/openapi/generated/api.github.com.json');
    this.document = asJsonSchema(JSON.parse(readFileSync(file, 'utf8')));
    // `example` and the like are unknown words to a validator of JSON Schema.
    const options = { strict: false, allErrors: false, logger: false };
    this.ajv = new Ajv(options);
    // The texts of paths and queries.
    this.coercing = new Ajv({ ...options, coerceTypes: 'array' });
    for (const ajv of [this.ajv, this.coercing]) {
      addFormats(ajv);
      ajv.addSchema({ $id: 'github', components: this.document.components });
    }
    this.validators = new Map();
    // Comparing is described twice under one address, the second time as deprecated.
    const templates = Object.keys(this.document.paths).filter((template) => !template.includes('{base}...{head}'));
    this.templates = templates.map((template) => {
      // Paths within a repository and names of references have slashes.
      const pattern = template
        .replace(/[.+]/g, '\\$&')
        .replace(/\{(path|ref)\}$/, '(?<$1>.+)')
        .replace(/\{(\w+)\}/g, '(?<$1>[^/]+)');
      return { template, pattern: new RegExp(`^${pattern}$`), literal: template.replace(/\{\w+\}/g, '').length };
    });
    // The most literal first: `/git/ref/heads/{x}` before `/{path}`.
    this.templates.sort((left, right) => right.literal - left.literal);
  }

  resolve(object) {
    return object?.$ref ? object.$ref.split('/').slice(1).reduce((at, key) => at[key], this.document) : object;
  }

  // The operation that a request is for: `{ template, parameters, operation }`.
  find(method, path) {
    for (const { template, pattern } of this.templates) {
      const match = pattern.exec(path);
      const operation = match && this.document.paths[template][method.toLowerCase()];
      if (operation) {
        const entries = Object.entries(match.groups ?? {}).map(([name, text]) => [name, decodeURIComponent(text)]);
        return { template, operation, parameters: Object.fromEntries(entries) };
      }
    }
    return undefined;
  }

  validate(schema, value, ajv = this.ajv) {
    const key = `${ajv === this.ajv}${JSON.stringify(schema)}`;
    if (!this.validators.has(key)) {
      this.validators.set(key, ajv.compile(absolute(schema)));
    }
    const validator = this.validators.get(key);
    if (validator(value)) return undefined;
    const { instancePath, message, params } = validator.errors[0];
    return `${instancePath || 'it'} ${message} ${JSON.stringify(params)}`;
  }

  // What is wrong with a request, in the order that it is read.
  wrongRequest({ operation, parameters }, query, headers, body) {
    const accept = headers.accept ?? '';
    if (!/^application\/vnd\.github(\.raw|\.object)?\+json$/.test(accept)) return `accept: ${accept}`;
    if (headers['x-github-api-version'] !== '2022-11-28') return 'x-github-api-version is missing';
    if (!headers['user-agent']) return 'user-agent is missing';
    const known = (operation.parameters ?? []).map((parameter) => this.resolve(parameter));
    for (const name of query.keys()) {
      if (!known.some((parameter) => parameter.in === 'query' && parameter.name === name)) {
        return `there is no parameter ${name}`;
      }
    }
    for (const parameter of known) {
      const given = parameter.in === 'path' ? parameters[parameter.name] : query.get(parameter.name);
      if (given === null || given === undefined) {
        if (parameter.required) return `the parameter ${parameter.name} is missing`;
        continue;
      }
      const schema = { type: 'object', properties: { value: parameter.schema } };
      const wrong = this.validate(schema, { value: given }, this.coercing);
      if (wrong) return `parameter ${parameter.name}: ${wrong}`;
    }
    const schema = this.resolve(operation.requestBody)?.content?.['application/json']?.schema;
    if (body !== undefined && !schema) return 'it has a body, and must have none';
    return body === undefined ? undefined : this.validate(schema, body);
  }

  // What is wrong with the answer to a request.
  wrongAnswer({ operation }, status, body) {
    if (status === 304) return undefined;
    const response = this.resolve(operation.responses[status]);
    if (!response) {
      // What any operation answers is described nowhere.
      const common = [401, 403, 404, 429].includes(status);
      return common ? this.validate({ $ref: '#/components/schemas/basic-error' }, body) : `there is no ${status}`;
    }
    const schema = response.content?.['application/json']?.schema;
    return schema && this.validate(schema, body);
  }

  // What is wrong with a webhook's payload.
  wrongWebhook(event, body) {
    const name = [event, body.action].filter(Boolean).join('-').replaceAll('_', '-');
    const described = this.document['x-webhooks'][name];
    if (!described) return `there is no webhook ${name}`;
    return this.validate(described.post.requestBody.content['application/json'].schema, body);
  }

  // The schema of what an operation answers well, or of a webhook.
  answerSchema({ operation }) {
    const status = operation.responses[200] ? 200 : 201;
    return this.resolve(operation.responses[status]).content['application/json'].schema;
  }

  webhookSchema(name) {
    return this.document['x-webhooks'][name].post.requestBody.content['application/json'].schema;
  }

  // A valid object with these values, and what else the schema asks for.
  fill(schema, values) {
    const resolved = this.resolve(schema) ?? {};
    if (resolved.allOf) {
      return resolved.allOf.map((part) => this.fill(part, values)).reduce(merged);
    }
    const choices = resolved.anyOf ?? resolved.oneOf;
    if (choices && !resolved.properties) {
      const fits = (choice) => {
        const isArray = [this.resolve(choice).type].flat().includes('array');
        if (isArray !== Array.isArray(values)) return false;
        return this.validate(choice, this.fill(choice, values)) === undefined;
      };
      return this.fill(choices.find(fits) ?? choices[0], values);
    }
    const types = [resolved.type ?? (resolved.properties ? 'object' : 'string')].flat();
    if (values === null && types.includes('null')) return null;
    if (types.includes('object')) {
      // What nobody gave may be absent.
      if (values === undefined && types.includes('null')) return null;
      const made = {};
      for (const [name, property] of Object.entries(resolved.properties ?? {})) {
        const given = values?.[name];
        if (given !== undefined || (resolved.required ?? []).includes(name)) {
          made[name] = this.fill(property, given);
        }
      }
      // Beyond what is described, as GitHub has it.
      return { ...values, ...made };
    }
    if (types.includes('array')) {
      return (values ?? []).map((value) => this.fill(resolved.items, value));
    }
    if (values !== undefined) return values;
    if (types.includes('null')) return null;
    if (resolved.enum) return resolved.enum[0];
    if (types.includes('integer') || types.includes('number')) return resolved.minimum ?? 1;
    if (types.includes('boolean')) return false;
    const texts = { uri: 'https://example.com/x', 'date-time': '2026-11-21T10:00:00Z', email: 'a@example.com' };
    return texts[resolved.format] ?? 'x';
  }
}

// Two objects as one that has everything that either has.
function merged(left, right) {
  const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
  if (!isObject(left) || !isObject(right)) return right;
  const both = { ...left };
  for (const [key, value] of Object.entries(right)) {
    both[key] = key in left ? merged(left[key], value) : value;
  }
  return both;
}

// OpenAPI 3.0 as JSON Schema, which has no `nullable`.
function asJsonSchema(node) {
  if (Array.isArray(node)) return node.map(asJsonSchema);
  if (node === null || typeof node !== 'object') return node;
  const made = {};
  for (const [key, value] of Object.entries(node)) {
    // Examples may hold anything, properties of these names included.
    made[key] = ['example', 'examples'].includes(key) && typeof node.type === 'string' ? value : asJsonSchema(value);
  }
  if (made.nullable !== true) return made;
  const { nullable, ...rest } = made;
  if (typeof rest.type === 'string') {
    return { ...rest, type: [rest.type, 'null'], ...(rest.enum && { enum: [...rest.enum, null] }) };
  }
  return { anyOf: [rest, { type: 'null' }] };
}

// A schema whose references lead into the document from anywhere.
function absolute(schema) {
  return JSON.parse(JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"github#/'));
}
