import solid from "vite-plugin-solid";
import { defineConfig } from "vitest/config";

export default defineConfig({
  base: "./",
  plugins: [solid()],
  build: {
    // dist/placeholder.txt is committed for go:embed, so the build script clears dist/assets alone.
    emptyOutDir: false,
    target: ["es2022", "safari16"],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  // The tests read the contract from the Go side of the repository.
  server: { fs: { allow: [".."] } },
  test: {
    environment: "happy-dom",
    restoreMocks: true,
  },
});
