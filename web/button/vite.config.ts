import { defineConfig } from 'vitest/config';

export default defineConfig({
  build: {
    target: 'es2022',
    lib: {
      entry: 'src/main.ts',
      name: 'talkbutton',
      formats: ['iife'],
      fileName: () => 'talk-button.js',
    },
  },
  test: { include: ['test/**/*.test.ts'] },
});
