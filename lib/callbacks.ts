/** The callbacks, under the name that Keras gives the module. */
export * from './callbacks/index.js'
