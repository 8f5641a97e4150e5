/** A module without an objective. */
export default 7
