// Playlists: several bulletins that sound as one, composed by the server.
import { ask } from './client';
import type { components } from './schema';

export type Playlist = components['schemas']['Playlist'];
export type PlaylistPart = components['schemas']['PlaylistPart'];
export type NewPlaylist = components['schemas']['NewPlaylist'];

const path = (id: string) => `/api/v1/playlists/${encodeURIComponent(id)}`;

export const playlists = () => ask<Playlist[]>('get', '/api/v1/playlists');
export const addPlaylist = (body: NewPlaylist) => ask<Playlist>('post', '/api/v1/playlists', body);
export const changePlaylist = (id: string, body: NewPlaylist) => ask<Playlist>('put', path(id), body);
export const removePlaylist = (id: string) => ask<undefined>('delete', path(id));
