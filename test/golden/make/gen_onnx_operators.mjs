/**
 * Makes data/onnx/operators.zip: graphs of a few nodes, each with what onnxruntime computes.
 *
 *   npm install --no-save onnxruntime-node
 *   npx esbuild lib/saving/onnx/messages.ts --bundle --format=esm --outfile=messages.mjs
 *   node test/golden/make/gen_onnx_operators.mjs messages.mjs operators.zip
 */
import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { zipSync } from 'fflate'
import ort from 'onnxruntime-node'
import { formatNpy } from 'hiddenstate/utils'

const [messages, out] = process.argv.slice(2)
const { onnxBytes } = await import(pathToFileURL(messages).href)
const [N, T, D] = [2, 8, 3]
const rnd = (n, s) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * 1.7 + s) * 1.5)
const X = rnd(N * T * D, 1)
const files = {}
const entries = []

/** @param refusal what the message of a refusal must match, of a graph that no layers compute */
async function run(what, shape, nodes, tensors, outShape, refusal) {
  const inputs = [{ name: 'x', type: 1, shape: ['N', ...shape.slice(1)] }]
  const outputs = [{ name: 'y', type: 1, shape: outShape }]
  const bytes = onnxBytes({ name: 'g', nodes, tensors, inputs, outputs })
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 4 })
  const x = X.slice(0, shape.reduce((a, b) => a * b, 1))
  const { y } = await session.run({ x: new ort.Tensor('float32', x, shape) })
  const file = `o_${String(entries.length).padStart(2, '0')}`
  files[`${file}.onnx`] = bytes
  files[`${file}.x.npy`] = formatNpy({ data: x, shape })
  files[`${file}.y.npy`] = formatNpy({ data: y.data, shape: y.dims })
  const expected = refusal ? 'refused: no layers compute it' : 'loads'
  const io = { input: `${file}.x.npy`, output: `${file}.y.npy`, tolerance: 1e-5 }
  entries.push({ file: `${file}.onnx`, format: 'onnx', what, ...io, expected, ...(refusal ? { refusal } : {}) })
}

const act=(op,attributes,floats,refusal)=>run(op,[N,6],[{op,name:'n',inputs:['x'],outputs:['y'],attributes,floats}],[],['N',6],refusal)
for (const [op,f] of [['Elu',{}],['Elu',{alpha:0.5}],['HardSigmoid',{}],['HardSigmoid',{alpha:0.3,beta:0.4}],['HardSwish'],['LeakyRelu',{}],['LeakyRelu',{alpha:0.3}],['Selu'],['Softplus'],['Softsign'],['ThresholdedRelu',{alpha:0.5}],['Relu'],['Tanh'],['Sigmoid']]) await act(op,{},f)
await act('Softmax',{axis:-1}); await act('Softmax',{axis:0},{},'Softmax.*axis')
await run('Softmax3',[N,T,D],[{op:'Softmax',name:'n',inputs:['x'],outputs:['y'],attributes:{axis:1}}],[],['N',T,D],'Softmax.*axis')
const W=rnd(4*D*3,2), b=rnd(4,3)
const conv=(name,attributes,bias=true)=>run('Conv '+name,[N,D,T],[{op:'Conv',name:'c',inputs:['x','W',...(bias?['b']:[])],outputs:['y'],attributes}],[{name:'W',shape:[4,D,3],numbers:W},{name:'b',shape:[4],numbers:b}],['N',4,'L'])
await conv('plain',{kernel_shape:[3]}); await conv('pads',{pads:[2,1]}); await conv('stride',{strides:[2]},false); await conv('dil',{dilations:[2],pads:[1,1]}); await conv('same',{auto_pad:'SAME_UPPER'}); await conv('lower',{auto_pad:'SAME_LOWER',dilations:[1]})
const pool=(op,attributes,refusal)=>run(op,[N,D,T],[{op,name:'p',inputs:['x'],outputs:['y'],attributes}],[],['N',D,'L'],refusal)
await pool('MaxPool',{kernel_shape:[2],strides:[2]}); await pool('MaxPool',{kernel_shape:[3]}); await pool('AveragePool',{kernel_shape:[2],strides:[3]}); await pool('MaxPool',{kernel_shape:[2],pads:[1,0]},'MaxPool.*windows')
const tr=(then,out,t=[],refusal)=>run(then.map(({op})=>op).join(', '),[N,T,D],then,t,out,refusal)
await tr([{op:'Transpose',name:'t',inputs:['x'],outputs:['a'],attributes:{perm:[0,2,1]}},{op:'GlobalAveragePool',name:'g',inputs:['a'],outputs:['b'],attributes:{}},{op:'Flatten',name:'f',inputs:['b'],outputs:['y'],attributes:{axis:1}}],['N',D])
await tr([{op:'ReduceMean',name:'g',inputs:['x'],outputs:['y'],attributes:{axes:[1],keepdims:0}}],['N',D])
await tr([{op:'ReduceMax',name:'g',inputs:['x'],outputs:['y'],attributes:{axes:[-2],keepdims:1}}],['N',1,D])
await tr([{op:'ReduceMax',name:'g',inputs:['x'],outputs:['y'],attributes:{axes:[2],keepdims:1}}],['N',T,1],[],'ReduceMax.*axes')
const k=[{name:'k',shape:[1],numbers:Float32Array.of(1.5)}]
for (const op of ['Add','Sub','Mul','Div']) { await tr([{op,name:'g',inputs:['x','k'],outputs:['y']}],['N',T,D],k); await tr([{op,name:'g',inputs:['k','x'],outputs:['y']}],['N',T,D],k,op==='Div'?'Div.*numerator':undefined) }
for (const op of ['Add','Mul','Max','Sub']) await tr([{op:'Relu',name:'r',inputs:['x'],outputs:['r']},{op,name:'g',inputs:['x','r'],outputs:['y']}],['N',T,D],[],op==='Sub'?'Sub.*input':undefined)
await tr([{op:'Relu',name:'r',inputs:['x'],outputs:['r']},{op:'Concat',name:'g',inputs:['x','r'],outputs:['y'],attributes:{axis:1}}],['N',2*T,D])
await tr([{op:'Relu',name:'r',inputs:['x'],outputs:['r']},{op:'Transpose',name:'t',inputs:['x'],outputs:['a'],attributes:{perm:[1,0,2]}},{op:'Transpose',name:'t2',inputs:['r'],outputs:['b'],attributes:{perm:[1,0,2]}},{op:'Concat',name:'g',inputs:['a','b'],outputs:['c'],attributes:{axis:2}},{op:'Transpose',name:'t3',inputs:['c'],outputs:['y'],attributes:{perm:[1,2,0]}}],['N',2*D,T])
const i64=(name,...n)=>({name,shape:[n.length],numbers:n})
await tr([{op:'Reshape',name:'r',inputs:['x','s'],outputs:['y']}],['N',T*D],[i64('s',0,-1)])
await tr([{op:'Reshape',name:'r',inputs:['x','s'],outputs:['y']}],['N',T*D],[i64('s',-1,T*D)])
await tr([{op:'Reshape',name:'r',inputs:['x','s'],outputs:['y']}],['N',D,T],[i64('s',0,D,T)],'Reshape.*shape')
await tr([{op:'Slice',name:'r',inputs:['x','a','b','c'],outputs:['y']}],['N',1,D],[i64('a',3),i64('b',4),i64('c',1)])
await tr([{op:'Slice',name:'r',inputs:['x','a','b','c'],outputs:['y']}],['N',T,1],[i64('a',1),i64('b',2),i64('c',2)],'Slice.*axis')
await tr([{op:'Slice',name:'r',inputs:['x','a','b','c'],outputs:['y']}],['N',T,D],[i64('a',0),i64('b',99),i64('c',1)],'followed by a layer')
await tr([{op:'Slice',name:'r',inputs:['x','a','b','c'],outputs:['y']}],['N',2,D],[i64('a',1),i64('b',3),i64('c',1)],'Slice.*one place')
// a bias must not leak into another use of the product
await tr([{op:'MatMul',name:'m',inputs:['x','w'],outputs:['d']},{op:'Transpose',name:'t',inputs:['d'],outputs:['e'],attributes:{perm:[0,1,2]}},{op:'Add',name:'a',inputs:['e','v'],outputs:['f']},{op:'Add',name:'z',inputs:['f','d'],outputs:['y']}],['N',T,2],[{name:'w',shape:[D,2],numbers:rnd(D*2,4)},{name:'v',shape:[2],numbers:rnd(2,5)}],'bias of a product')
await tr([{op:'MatMul',name:'m',inputs:['x','w'],outputs:['d']},{op:'Add',name:'a',inputs:['v','d'],outputs:['f']},{op:'Relu',name:'z',inputs:['f'],outputs:['y']}],['N',T,2],[{name:'w',shape:[D,2],numbers:rnd(D*2,4)},{name:'v',shape:[2],numbers:rnd(2,5)}])
await run('Gemm beta',[N,6],[{op:'Gemm',name:'g',inputs:['x','w','v'],outputs:['y'],attributes:{transB:1},floats:{beta:0.5}}],[{name:'w',shape:[2,6],numbers:rnd(12,4)},{name:'v',shape:[1],numbers:rnd(1,5)}],['N',2])
await run('BN',[N,D,T],[{op:'BatchNormalization',name:'g',inputs:['x','a','b','c','d'],outputs:['y'],floats:{epsilon:1e-3}}],['a','b','c','d'].map((name,i)=>({name,shape:[D],numbers:rnd(D,i).map(Math.abs)})),['N',D,T])

files['manifest.json'] = new TextEncoder().encode(JSON.stringify({ maker: 'onnxruntime-node 1.30.0', files: entries }))
writeFileSync(out, zipSync(files, { level: 9, mtime: new Date(2026, 11, 1) }))
console.log(`${entries.length} graphs`)
