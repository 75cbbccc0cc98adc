// A place on the earth as people write it and read it. Pure.
export type Spot = readonly [latitude: number, longitude: number];

/** The place that is meant by two numbers, as maps and phones give them to be copied; nothing if it is none. */
export function spotOf(text: string): Spot | undefined {
  const numbers = /^\s*\(?\s*(-?\d{1,3}(?:\.\d+)?)\s*°?\s*[,;\s]\s*(-?\d{1,3}(?:\.\d+)?)\s*°?\s*\)?\s*$/.exec(text);
  const [latitude, longitude] = [Number(numbers?.[1]), Number(numbers?.[2])];
  return Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180 ? [latitude, longitude] : undefined;
}

/** To a metre. */
export const written = ([latitude, longitude]: Spot) => `${latitude.toFixed(5)}, ${longitude.toFixed(5)}`;
