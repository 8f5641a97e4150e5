{
  # Thin: all sources and flags are in CMakeLists.txt. node-gyp (and so electron-rebuild) only calls cmake-js.
  "variables": { "openssl_fips": "" },
  "targets": [{
    "target_name": "hiddenstate",
    "type": "none",
    "actions": [{
      "action_name": "cmake_js",
      "inputs": ["CMakeLists.txt"],
      "outputs": ["<(PRODUCT_DIR)/hiddenstate.node"],
      "action": ["node", "scripts/gyp-action.cjs", "<(PRODUCT_DIR)", "<(target_arch)"]
    }]
  }]
}
