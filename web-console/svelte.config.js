import adapter from '@sveltejs/adapter-static';

/** @type {import('@sveltejs/kit').Config} */
export default {
  compilerOptions: { runes: true },
  kit: {
    // One page for every address: the server embeds `build/` and answers unknown paths with index.html.
    adapter: adapter({ fallback: 'index.html', precompress: true }),
    typescript: { config: (config) => ({ ...config, include: [...config.include, '../e2e/**/*.ts', '../*.ts'] }) },
    csp: {
      mode: 'hash',
      directives: {
        'default-src': ['self'],
        'script-src': ['self'],
        'style-src': ['self', 'unsafe-inline'],
        'img-src': ['self', 'data:'],
        'media-src': ['self', 'blob:'],
        'connect-src': ['self'],
        'object-src': ['none'],
        'base-uri': ['self'],
        'form-action': ['self']
      }
    }
  }
};
