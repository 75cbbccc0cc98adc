// Kit's ambient types, and what the build makes (outlines.ts).
declare module 'virtual:outlines' {
  const outlines: Record<'home' | 'near', import('geojson').MultiPolygon>;
  export default outlines;
}
