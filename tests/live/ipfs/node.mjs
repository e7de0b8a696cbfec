// A Helia node on loopback, spoken to as Kubo is: its RPC, a gateway, and a service of the IPFS Pinning Service API.
// createHeliaLight is the node without libp2p, bitswap and routing: it listens on nothing but this server.
import { createServer } from 'node:http'
import { car } from '@helia/car'
import { unixfs } from '@helia/unixfs'
import { CarReader } from '@ipld/car'
import { createHeliaLight } from 'helia'
import { fixedSize } from 'ipfs-unixfs-importer/chunker'
import { balanced } from 'ipfs-unixfs-importer/layout'
import { CID } from 'multiformats/cid'

const TOKEN = process.env.PINNING_TOKEN
const helia = await createHeliaLight()
await helia.start?.()
const fs = unixfs(helia)
const archives = car(helia)
const offline = { offline: true, signal: undefined }

async function body (request) {
  const parts = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts)
}

async function parts (request) {
  const form = await new Response(await body(request), { headers: { 'content-type': request.headers['content-type'] } }).formData()
  return form.getAll('file').map(file => file)
}

function settings (query) {
  const chunker = query.get('chunker') ?? 'size-262144'
  return {
    cidVersion: Number(query.get('cid-version') ?? 0),
    rawLeaves: (query.get('raw-leaves') ?? String(query.get('cid-version') === '1')) === 'true',
    chunker: fixedSize({ chunkSize: Number(chunker.replace('size-', '')) }),
    layout: balanced({ maxChildrenPerNode: Number(query.get('max-file-links') ?? 174) }),
    reduceSingleLeafToSelf: true,
    fieldOrder: 'links-first'
  }
}

async function pinned (cid) {
  return await helia.pins.isPinned(cid)
}

async function pin (cid) {
  if (!await pinned(cid)) for await (const _ of helia.pins.add(cid, { signal: AbortSignal.timeout(2000) })) { /* walks it */ }
}

const rpc = {
  version: async () => ({ Version: '0.40.0-helia', Commit: '', System: process.platform }),
  'pin/add': async query => {
    const cid = CID.parse(query.get('arg'))
    await pin(cid)
    return { Pins: [cid.toString()] }
  },
  'pin/rm': async query => {
    const cid = CID.parse(query.get('arg'))
    for await (const _ of helia.pins.rm(cid)) { /* walks it */ }
    return { Pins: [cid.toString()] }
  },
  'pin/ls': async query => {
    const Keys = {}
    const only = query.get('arg')
    // Helia lists pins by their hash alone: what was asked for is named as it was
    if (only == null) for await (const found of helia.pins.ls()) Keys[found.cid.toString()] = { Type: 'recursive' }
    else if (await pinned(CID.parse(only))) Keys[only] = { Type: 'recursive' }
    else throw new Error(`path '${only}' is not pinned`)
    return { Keys }
  },
  'dag/import': async (query, request) => {
    const roots = []
    for (const file of await parts(request)) {
      const reader = await CarReader.fromBytes(new Uint8Array(await file.arrayBuffer()))
      await archives.import(reader)
      for (const root of await reader.getRoots()) {
        if (query.get('pin-roots') !== 'false') await pin(root)
        roots.push({ Root: { Cid: { '/': root.toString() }, PinErrorMsg: '' } })
      }
    }
    return roots
  },
  add: async (query, request) => {
    const files = await parts(request)
    const source = files.map(file => ({
      path: decodeURIComponent(file.name),
      ...(file.type === 'application/x-directory' ? {} : { content: [file] })
    }))
    const added = []
    for (const entry of source) if (entry.content) entry.content = [new Uint8Array(await entry.content[0].arrayBuffer())]
    for await (const found of fs.addAll(source, settings(query))) {
      added.push({ Name: found.path, Hash: found.cid.toString(), Size: String(found.size ?? 0) })
      if (query.get('pin') !== 'false') await pin(found.cid)
    }
    return added
  }
}

const pins = new Map()

async function service (request, response, url) {
  if (request.headers.authorization !== `Bearer ${TOKEN}`) {
    return send(response, 401, { error: { reason: 'UNAUTHORIZED', details: 'Access token is missing or invalid' } })
  }
  const id = url.pathname.split('/')[3]
  if (request.method === 'POST' && id == null) {
    const wanted = JSON.parse(await body(request))
    const requestid = `r${pins.size + 1}`
    const entry = { requestid, status: 'queued', created: new Date().toISOString(), pin: wanted, delegates: [], info: {}, asked: 0 }
    pins.set(requestid, entry)
    return send(response, 202, entry)
  }
  if (request.method === 'GET' && id == null) {
    const wanted = (url.searchParams.get('cid') ?? '').split(',')
    const status = (url.searchParams.get('status') ?? 'pinned').split(',')
    const results = [...pins.values()].filter(entry => wanted.includes(entry.pin.cid) && status.includes(entry.status))
    return send(response, 200, { count: results.length, results })
  }
  const entry = pins.get(id)
  if (entry == null) return send(response, 404, { error: { reason: 'NOT_FOUND', details: 'no such request' } })
  if (request.method === 'DELETE') {
    pins.delete(id)
    return send(response, 202, {})
  }
  entry.asked++
  if (entry.status === 'queued') entry.status = 'pinning'
  else if (entry.status === 'pinning') {
    try {
      await pin(CID.parse(entry.pin.cid))
      entry.status = 'pinned'
    } catch (error) {
      entry.status = 'failed'
      entry.info = { status_details: 'no provider has it' }
    }
  }
  return send(response, 200, entry)
}

async function resolve (path) {
  const [root, ...names] = path.split('/').filter(Boolean).map(decodeURIComponent)
  let cid = CID.parse(root)
  for (const name of names) {
    let next
    for await (const entry of fs.ls(cid, offline)) if (entry.name === name) next = entry.cid
    if (next == null) throw new Error(`no ${name}`)
    cid = next
  }
  return cid
}

async function gateway (request, response, url) {
  let cid
  try {
    cid = await resolve(url.pathname.slice('/ipfs/'.length))
    if (!await helia.blockstore.has(cid)) throw new Error('not here')
  } catch (error) {
    return send(response, 404, { error: error.message })
  }
  const format = url.searchParams.get('format')
  if (format === 'raw') {
    response.writeHead(200, { 'content-type': 'application/vnd.ipld.raw' })
    for await (const part of [].concat(await collect(helia.blockstore.get(cid, offline)))) response.write(part)
    return response.end()
  }
  if (format === 'car') {
    response.writeHead(200, { 'content-type': 'application/vnd.ipld.car; version=1; order=dfs; dups=y' })
    for await (const part of archives.export(cid, offline)) response.write(part)
    return response.end()
  }
  response.writeHead(200, { 'content-type': 'application/octet-stream' })
  for await (const part of fs.cat(cid, offline)) response.write(part)
  response.end()
}

async function collect (got) {
  const value = await got
  if (value instanceof Uint8Array) return value
  const all = []
  for await (const part of value) all.push(part)
  return all
}

function send (response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(Array.isArray(value) ? value.map(line => JSON.stringify(line) + '\n').join('') : JSON.stringify(value))
}

// a pin that is given up leaves promises of Helia's behind that nobody waits for
process.on('unhandledRejection', error => { if (process.env.DEBUG) console.error(error) })

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://127.0.0.1')
  try {
    if (url.pathname.startsWith('/ipfs/')) return await gateway(request, response, url)
    if (url.pathname.startsWith('/service/pins')) return await service(request, response, url)
    const verb = rpc[url.pathname.replace('/api/v0/', '')]
    if (verb == null || request.method !== 'POST') return send(response, 404, { Message: 'no such command', Type: 'error' })
    return send(response, 200, await verb(url.searchParams, request))
  } catch (error) {
    if (process.env.DEBUG) console.error(error)
    if (!response.headersSent) return send(response, 500, { Message: error.message, Code: 0, Type: 'error' })
    response.destroy()
  }
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.resume()
process.stdin.on('end', () => process.exit(0)) // ends with who started it
